pytest_plugins = ["support.rabbitmq", "support.supervisord", "support.fleet"]
