"""The EPCIS 2.0 door (事件库接口): what its routes have in common."""
