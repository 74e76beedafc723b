"""Loading the libraries that every run needs, so that a process can do it before its work begins. No work is done."""

from importlib import import_module

_NEEDED = ("pipeline.load", "pipeline.reconcile_days", "schemas.frames", "schemas.record_models")


def load_libraries() -> None:
    """Import what reads, proves and reconciles: pandas, pyarrow and pandera take about two seconds."""
    for name in _NEEDED:
        import_module(f"kolleno_pipelines.{name}")
