"""Themes (日间、夜间): what the names of styles look like, in colours that a plain terminal's 256 come near."""

from rich.style import Style

Theme = dict[str, Style]


def _theme(colours: str) -> Theme:
    """One style a line: name, foreground, background, and `bold` where it is."""
    styles: Theme = {}
    for line in colours.strip().splitlines():
        name, colour, ground, *bold = line.split()
        styles["" if name == "plain" else name] = Style(color=colour, bgcolor=ground, bold=bool(bold))
    return styles


NIGHT = _theme("""
plain       #d7dde3 #121212
strong      #ffffff #121212 bold
dim         #8a8a8a #121212
fact        #ffffff #121212 bold
warn        #ffd75f #121212 bold
notice      #ffd75f #121212 bold
title       #d7dde3 #303030 bold
head        #d7dde3 #262626
head.dim    #9e9e9e #262626
head.good   #5fd787 #262626 bold
head.halt   #ffd75f #262626 bold
head.bad    #ff8787 #262626 bold
band.red    #ffffff #af0000 bold
band.grey   #ffffff #5f5f5f bold
band.alarm  #121212 #ffd75f bold
good        #ffffff #008700 bold
done        #afffaf #005f00 bold
bad         #ffffff #af0000 bold
halt        #121212 #ffaf00 bold
busy        #ffffff #005f87 bold
calm        #e4e4e4 #3a3a3a bold
tile.good   #ffffff #008700
tile.bad    #ffffff #af0000
bar.done    #5fd787 #121212 bold
bar.over    #ff5f5f #121212 bold
bar.rest    #4e4e4e #121212
bar.target  #5fd787 #121212 bold
bar.cap     #ff5f5f #121212 bold
marked      #121212 #ffd75f bold
symbol      #000000 #ffffff
""")

DAY = _theme("""
plain       #1c1c1c #ffffff
strong      #000000 #ffffff bold
dim         #6c6c6c #ffffff
fact        #000000 #ffffff bold
warn        #af5f00 #ffffff bold
notice      #af5f00 #ffffff bold
title       #1c1c1c #d0d0d0 bold
head        #1c1c1c #e4e4e4
head.dim    #5f5f5f #e4e4e4
head.good   #005f00 #e4e4e4 bold
head.halt   #875f00 #e4e4e4 bold
head.bad    #af0000 #e4e4e4 bold
band.red    #ffffff #af0000 bold
band.grey   #ffffff #6c6c6c bold
band.alarm  #121212 #ffd75f bold
good        #ffffff #008700 bold
done        #005f00 #d7ffd7 bold
bad         #ffffff #af0000 bold
halt        #121212 #ffaf00 bold
busy        #ffffff #005f87 bold
calm        #303030 #dadada bold
tile.good   #ffffff #008700
tile.bad    #ffffff #af0000
bar.done    #005f00 #ffffff bold
bar.over    #af0000 #ffffff bold
bar.rest    #b2b2b2 #ffffff
bar.target  #005f00 #ffffff bold
bar.cap     #af0000 #ffffff bold
marked      #121212 #ffd75f bold
symbol      #000000 #ffffff
""")

_REVERSED = {"done", "bad", "halt", "good", "busy", "band.red", "band.grey", "band.alarm", "marked", "symbol", "head"}
NO_COLOURS: Theme = {name: Style(bold=style.bold, reverse=name in _REVERSED) for name, style in NIGHT.items()}
"""For who asks for no colours (NO_COLOR): light on dark or dark on light, and bold."""
