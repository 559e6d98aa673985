"""What a user did or gave that cannot work, said in one line."""


class InputError(ValueError):
    """Bad input from outside: a file, an option, a configuration.

    Its message says what was wrong, where, and what to do. The command line prints it without a traceback.
    """
