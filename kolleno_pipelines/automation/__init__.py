"""What starts runs: jobs, the schedule, the sensors, and a way to start a range by hand. No asset is defined here."""
