"""One coherent synthetic company and the simulated servers that serve it. No rules, no storage."""
