import signal

pytest_plugins = ["support.rabbitmq", "support.supervisord", "support.fleet", "support.log_file"]

# Where a shell without job control runs the tests in its background, Ctrl-C is ignored by all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
