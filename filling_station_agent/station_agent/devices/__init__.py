"""What stands on the station's floor: barcode scanners (扫码枪), filling scales with valves (充装秤)."""
