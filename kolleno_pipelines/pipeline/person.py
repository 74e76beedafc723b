"""Who is at the keyboard, for decisions and requests that are kept with a name. No permission is checked here."""

import getpass
import os


def operator_name() -> str:
    """Return the account's name, its number where it has none (as in many containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
