pytest_plugins = ["support.rabbitmq", "support.supervisord", "support.fleet", "support.log_file"]
