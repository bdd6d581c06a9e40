"""The style sheet of the page, and the policy that lets a browser take this one and nothing else."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--line:#e2e5ea;--ink:#171b22;--soft:#5d6675;--accent:#2858d8;
--tint:#eaf0ff;--good:#14804a;--warn:#9a6200;--bad:#c0293a;--field:#fff;
--shadow:0 1px 2px #1018280d,0 4px 16px #1018280a}
@media(prefers-color-scheme:dark){:root{--page:#0f1217;--card:#171b22;--line:#2a303a;--ink:#e8ebf0;--soft:#98a2b3;
--accent:#86a8ff;--tint:#1c2740;--good:#4cc38a;--warn:#e2a336;--bad:#ff7b86;--field:#11151b;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
header,main,footer{max-width:1180px;margin:0 auto;padding:0 24px}
header{display:flex;align-items:baseline;gap:16px;flex-wrap:wrap;padding-top:28px;padding-bottom:20px}
h1{font-size:22px;margin:0;letter-spacing:-.02em}h1 a{color:inherit}
h2{font-size:19px;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
h3{font-size:12px;text-transform:uppercase;letter-spacing:.07em;color:var(--soft);margin:0 0 10px;font-weight:600}
header p,.soft{color:var(--soft);margin:0}
header nav{margin-left:auto;display:flex;gap:18px}
main{display:grid;grid-template-columns:minmax(0,1fr);gap:20px}
main.split{grid-template-columns:minmax(300px,5fr) minmax(0,8fr);align-items:start}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shadow);overflow:hidden}
.pad{padding:20px 22px}.pad+.pad{border-top:1px solid var(--line)}
.scroll{overflow-x:auto}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th{font-size:12px;font-weight:600;color:var(--soft);text-align:left;white-space:nowrap}
th,td{padding:10px 14px;border-bottom:1px solid var(--line);vertical-align:top}
th:first-child,td:first-child{padding-left:22px}th:last-child,td:last-child{padding-right:22px}
tr:last-child td{border-bottom:0}tbody tr:hover{background:color-mix(in srgb,var(--tint) 45%,transparent)}
tr.chosen,tr.chosen:hover{background:var(--tint)}
td.number,th.number{text-align:right;white-space:nowrap}
.name{font-weight:600;overflow-wrap:break-word;min-width:8em}.small{font-size:13px;font-weight:400}
.state{white-space:nowrap;font-weight:600;font-size:13px}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.idle{color:var(--soft)}
.tag{display:inline-block;padding:0 8px;border-radius:99px;background:var(--tint);color:var(--accent);font-size:12px;
font-weight:600;margin-left:6px}
.version+.version{margin-top:8px}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 18px;margin:14px 0 0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.fields{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:14px}
label{display:block;font-size:13px;font-weight:600;overflow-wrap:anywhere}
input,textarea,select{width:100%;margin-top:4px;padding:8px 10px;border:1px solid var(--line);border-radius:8px;
background:var(--field);color:var(--ink);font:inherit;font-size:14px;font-weight:400}
input,select,button{height:40px}
textarea,pre,code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace;font-size:13px}
textarea{min-height:92px;resize:vertical}
input:focus,textarea:focus,select:focus,button:focus-visible,a:focus-visible{outline:2px solid var(--accent);
outline-offset:1px}
.actions{display:flex;gap:14px;align-items:end;margin-top:18px;flex-wrap:wrap}.actions label{min-width:170px}
button{padding:0 22px;border:0;border-radius:8px;background:var(--accent);color:var(--card);font:inherit;
font-weight:600;cursor:pointer}
details{margin-top:16px}details label{margin-top:10px}summary{cursor:pointer;color:var(--accent);font-size:14px}
pre{margin:0;padding:14px 16px;background:var(--page);border:1px solid var(--line);border-radius:8px;overflow-x:auto}
.notice{border-left:4px solid var(--bad);background:color-mix(in srgb,var(--bad) 9%,transparent);padding:12px 16px;
border-radius:0 8px 8px 0;overflow-wrap:anywhere}
.notice p{margin:0}
.scores{display:grid;grid-template-columns:minmax(60px,max-content) minmax(60px,1fr) max-content;gap:6px 14px;
align-items:center;margin:0}
.scores svg{width:100%;height:8px;display:block;border-radius:99px;background:var(--tint)}
.scores rect{fill:var(--accent)}
.scores b{font-weight:600;font-variant-numeric:tabular-nums;text-align:right}
.answer{font-size:26px;font-weight:650;letter-spacing:-.02em;overflow-wrap:anywhere;margin:0 0 8px}
.empty{padding:48px 22px;text-align:center;color:var(--soft)}
footer{color:var(--soft);font-size:13px;padding-top:22px;padding-bottom:36px}
@media(max-width:860px){main.split{grid-template-columns:minmax(0,1fr)}
main.split .detail{order:-1}}
@media(max-width:600px){header,main,footer{padding-left:14px;padding-right:14px}header nav{margin-left:0}
.wide{display:none}th{white-space:normal}th,td{padding:10px 8px}th:first-child,td:first-child{padding-left:16px}
.pad{padding:16px}
dl{grid-template-columns:minmax(0,1fr);gap:0}dd{margin-bottom:8px}button{width:100%}.actions label{width:100%}}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
