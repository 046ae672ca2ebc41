"""After a run: the list of runs, and a panel for everything that can be made of one."""
