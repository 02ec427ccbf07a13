"""The screen (工位屏): `app` puts it on a terminal, `pages` and `drawing` draw it, `board` is what it shows."""
