"""The resolver (解析服务): from a code on a label to what is known of the cylinder, for everybody who scans it."""
