"""What programs are told of amends: its HTTP interface and its bus, readable by people."""
