"""The application of Research Desk: its agents, research, command line and servers."""
