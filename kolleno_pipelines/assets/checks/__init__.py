"""Asset checks: facts that should hold, judged by what PostgreSQL holds, never by run states. No work is done here."""
