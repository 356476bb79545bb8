pytest_plugins = ["support.rabbitmq"]
