pytest_plugins = ["support.rabbitmq", "support.supervisord"]
