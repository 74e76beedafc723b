"""What an exception says to the operator: one sentence, without a traceback. Nothing is raised or handled here."""

from __future__ import annotations

_HINT = "run the command again with --debug to see where"


def sentence(error: BaseException) -> str:
    """Return one line of text: what happened, where, what to do next.

    Errors of ours carry such a sentence already; what nobody foresaw is named as a defect.
    """
    text = " ".join(str(error).split())
    if _is_ours(error):
        return text
    if _is_of_database(error):
        return f"The database refused: {text} ({_HINT})."
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    return f"Unexpected {type(error).__name__}: {text or 'no message'} ({_HINT}, and please report it)."


def _is_ours(error: BaseException) -> bool:
    """Whether the class was written for operators; every such class lives in this package."""
    return type(error).__module__.startswith("kolleno_pipelines.")


def _is_of_database(error: BaseException) -> bool:
    import psycopg

    return isinstance(error, psycopg.Error)
