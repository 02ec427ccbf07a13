"""The EPCIS repository (EPCIS 事件库): events in, events found."""
