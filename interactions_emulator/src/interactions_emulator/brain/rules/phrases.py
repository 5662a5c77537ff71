"""The phrases by which `intents.py` classifies messages: general words of several languages, without names of tools."""

from __future__ import annotations

import re
from typing import Literal

from interactions_emulator.corpus.words import word_set

Intent = Literal[
    "greeting", "thanks", "bye", "about_me", "abilities", "joke", "chat", "repeat", "memory", "fact_told", "fact_asked",
    "judge", "study", "draw", "action", "lookup", "statement",
]  # fmt: skip
"""The intent of a message."""


SAME_WORDS = {
    "weather": word_set(
        "wetter météo meteo clima wettervorhersage tempo temps tiempo 天气 天氣 天気 날씨 погода umbrella sunny snow"
        " snowing rainy windy"
    ),
    "forecast": word_set("vorhersage prévisions pronóstico 预报"),
    "rain": word_set("regen regnet regnen pluie pleut pleuvoir pleuvra lluvia llueve llover lloverá 下雨"),
    "search": word_set("suche recherche cherche busca 搜索"),
    "translate": word_set("übersetze übersetzung traduis traduce 翻译"),
}
"""Words that mean or imply an English word, by English word: function declarations are mostly in English."""

ASKS_WEATHER = re.compile(r"\bhow\s(?:warm|hot|cold|chilly|windy|humid|sunny|cloudy)\b", re.IGNORECASE)


WEATHER = re.compile(r"\b(?:weather|forecast|rain\w*|snow\w*|umbrella|wetter|météo|temps|tiempo)\b", re.IGNORECASE)


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE | re.IGNORECASE)


GREETING = _re(
    r"""^(?:(?:hi|hello|hey|hiya|howdy|yo|greetings|good\s(?:morning|afternoon|evening|day)|hallo|moin|servus
    |guten\s(?:tag|morgen|abend)|bonjour|bonsoir|salut|hola|buenos\sd[ií]as|buenas\s\w+|ciao|buongiorno|ol[aá]|hej
    |namaste|你好|您好|こんにちは|안녕하세요|привет|здравствуйте|مرحبا)(?!\w)[\s,.!-]*)+"""
)
CHIT_CHAT = _re(
    r"""(?:|there|all|everyone|again|you|(?:my\s)?friend|(?:there\s)?(?:ai|bot|robot|assistant|computer)
    |(?:there[\s,]+)?(?:how\s(?:are|r)\s(?:you|u|things)(?:\s(?:doing|today|going))*|how's\s(?:it\sgoing|your\s\w+|life
    |everything)
    |how\sis\s(?:it\sgoing|your\s\w+)|how\sdo\syou\sdo|what's\sup|nice\sto\smeet\syou|wie\sgeht'?s?(?:\s\w+)?
    |comment\s[cç]a\sva|ça\sva|qu[eé]\stal))"""
)
POLITE_START = _re(
    r"""^(?:(?:please|pls|kindly|ok(?:ay)?|so|well|um|hmm|bitte|could\syou(?:\splease)?|can\syou(?:\splease)?
    |would\syou(?:\splease)?|will\syou(?:\splease)?|would\syou\slet\sme\sknow|let\sme\sknow|i\s(?:want|need
    |would\slike|wanna)
    \s?(?:you\s)?to|i'd\slike\s(?:you\s)?to|i\swanna|help\sme\s(?:to\s)?|let\sme|assist\sme\sin|do\syou\sknow(?!\sme)
    |can\si|may\si|请帮我|请|麻烦)(?:\b|(?<=[我请烦]))[\s,]*)+"""
)
POLITE_END = _re(r"(?:[\s,]+(?:please|pls|for\sme|thanks|thank\syou|bitte))+$")

THANKED = _re(
    r"""^(?:(?:(?:many\s)?thanks?(?:\s(?:you|a\slot|so\smuch))*|thx|danke|merci|gracias|great|perfect|cool|super|nice|ok(?:ay)?)
    [\s,]*)+[.!]+\s+(?:(?:and|now|but|so|then)[\s,]+)*"""
)
"""Matches thanks or praise before another sentence."""
WISH_START = _re(
    r"""(?:(?<=[.!?;])\s+|,?\s+(?:and|und|et|y)\s+)(?:(?:and|also|btw|by\sthe\sway|then|und|please|when\s(?:it|that)(?:'s|\sis)\s\w+)
    [\s,]+)*"""
)
"""Matches where another wish may begin in a message."""

CONVERSATION: dict[Intent, re.Pattern[str]] = {
    "fact_asked": _re(
        r"""^(?:and\s|so\s|but\s)?(?:what(?:'s|\sis|\swas|\sare)|who(?:'s|\sis)|tell\sme|remember|recall|say)?\s*(?:what\s)?my\s(?:own\s)?
        (?:name|age|job|hobby|hometown|birthday|nickname|profession|favou?rite\s\w+|\w+'s\sname)(?:\sis|\sagain|\swas)?$
        |^who\sam\si$|remember\smy\sname|know\smy\sname|^wie\shei(?:ß|ss)e\sich|what(?:'s|\sis)\smy\s\w+\sagain"""
    ),
    "memory": _re(
        r"""
        \bwhat\s(?:did|have|had)\s(?:i|we)\s(?:just\s|already\s|so\sfar\s)*(?:ask|say|sai|talk|discuss|tell|told
        |chat|cover|speak|spoke|mention|do\b|done)
        |(?:summari[sz]e|recap|sum\sup|summary\sof|overview\sof)\b.*\b(?:conversation|chat|discussion|dialogue|we\b
        |talked|so\sfar)
        |\bmy\s(?:first|last|previous|earlier|second)\s(?:question|message|request|prompt)
        |(?:remind\sme|remember)\swhat\s(?:we|i)\b|\bwhat\swere\swe\stalking\b|did\si\s(?:ask|mention|say|tell)
        |what\sdid\swe\stalk|what\sdid\si\ssay|worüber\shaben\swir|was\shabe\sich\s(?:gefragt|gesagt)|我们聊了|我刚才问"""
    ),
    "fact_told": _re(
        r"""
        ^(?:and\s|by\sthe\sway\s|btw\s|remember(?:\sthat)?\s)*(?:my\s(?:\w+\s){1,3}(?:is|are)\s(?!what|who)
        |my\s(?:\w+\s){1,2}(?:works|lives|likes|loves|plays|studies|has)\s
        |(?:i\sam|i'm)\scalled\s
        |call\sme\s(?!a\s|when|later|back)|mein\sname\sist|ich\shei(?:ß|ss)e|je\sm'appelle|me\sllamo)"""
    ),
}  # fmt: skip
YOU_ARE = (
    r"human|robot|bot|chatbot|computer|machine|real|ai|person|alive|gemini|google|called|named"
    r"|a\smodel|language\smodel"
)
SMALL: dict[Intent, re.Pattern[str]] = {
    "repeat": _re(
        r"""
        ^(?:repeat|say)\s(?:it|that|this|the\slast\s\w+)?\s?(?:again|once\smore|for\sme)?$
        |like\s(?:you\s)?to\srepeat|^repeat\b.{0,25}$
        |what\sdid\syou\s(?:just\s)?say|^(?:pardon|come\sagain|say\swhat)(?:\sme)?$"""
    ),
    "joke": _re(r"\bjokes?\b|make\sme\slaugh|something\sfunny|\bwitz\b|\bblague\b|\bchiste\b|笑话"),
    "abilities": _re(
        r"""
        (?:what|which|how|things?|questions?|kinds?|types?|topics?)\b.*\b(?:you\scan|you\scould|can\syou|could\syou
        |are\syou\sable\sto|do\syou
        |you|i\scan|can\si|could\si|should\si|to)\s(?:help(?:\sme)?(?:\sout)?(?:\swith)?|do(?:\sfor\sme)?
        |ask(?:\syou)?|offer|answer|be\sasked)(?:\sabout)?$
        |^(?:your\s)?(?:abilities|capabilities|features|skills|help)$|what\sare\syour\s(?:abilities|capabilities
        |features|skills)
        |^how\s(?:do|does|can)\s(?:you|this|i\suse\s(?:you|this))(?:\swork)?$|was\s(?:kannst\sdu|kann\s(?:man|ich)\b.*\b(?:machen|tun|fragen)$)|que\speux-tu
        |qué\spuedes\shacer|你能做什么|你会什么"""
    ),
    "about_me": _re(
        rf"""
        \b(?:are|be|is|were)\s(?:you|this|it)\b(?:\s(?:a|an|really|actually|just|even|some
        |still))*\s(?:{YOU_ARE})\b
        |\byou\s(?:are|be|might\sbe)\s(?:a\s|an\s)*(?:{YOU_ARE})\b|\b(?:could
        |can)\syou\sbe\s(?:a\s)?(?:{YOU_ARE})|^be\shuman$
        |\bwho\s(?:are|r)\s(?:you|u)\b|\bwhat\sare\syou$|\byour\sname\b|\bcall\syou\b|\byou\slike\sto\sbe\scalled
        |\bcall\syou\b
        |\b(?:who|company|firm|team|person|they)\b.*\b(?:made|makes|built|created|designed|developed|programmed
        |trained|invented|owns)
        \s(?:you|this|this\sthing|this\sbot)$|\byou\s(?:made|built|created|designed|developed|programmed
        |trained)\b(?:\sby)?
        |\bhow\sold\sare\syou|\bwhere\s(?:are\syou|do\syou\slive|do\syou\scome\sfrom)|wer\sbist\sdu|qui\ses-tu
        |quién\seres|你是谁
        |\byour\s(?:\w+\s)?(?:instructions?|prompts?|configuration|api\skey|source\scode)\b|\bsystem\sprompt\b
        |\b(?:all|any|the|your)\s(?:previous|prior|earlier)\sinstructions\b|\bapi\skey\syou\b"""
    ),
    "bye": _re(
        r"""
        \b(?:good\s?bye|bye|see\s(?:you|ya)|farewell|talk\sto\syou\s(?:soon|later)|good\snight|take\scare|tsch(?:ü
        |ue)ss|auf\swiedersehen
        |au\srevoir|adi[oó]s|ciao|再见)(?!\w)|^(?:enjoy|have)\s(?:a|your)\s(?:\w+\s)?(?:day|evening|night|weekend)"""
    ),
    "thanks": _re(
        r"""
        \b(?:thanks|thank\s(?:you|u)|thx|appreciate|grateful|cheers|danke|vielen\sdank|merci|gracias|obrigad[oa]
        |grazie|谢谢|ありがとう)(?!\w)
        |^(?:well\sdone|good\s(?:job|work)|nice\s(?:job|work)|you(?:'re|\sare)\s(?:great|awesome|helpful|the\sbest
        |nice))"""
    ),
    "greeting": _re(
        r"""^(?:how\s(?:are|r)\s(?:you|u)|how's\s(?:it\sgoing|your\s\w+|life)|how\s(?:is|was)\syour\s\w+
        |what's\sup|nice\sto\smeet\syou|how\sdo\syou\sfeel|are\syou\s(?:there|awake|listening|busy|ready|okay|ok)$)"""
    ),
    "chat": _re(
        r"""
        \bmeaning\s(?:of|is|to)\s(?:my\s)?(?:life|existence)|\blife\s(?:mean|'s\smeaning)|what's\slife\b
        |\bpurpose\sof\s(?:life|existence)
        |^(?:sorry|my\s(?:mistake|bad|fault)|never\s?mind|no\s(?:problem|worries)|forget\s(?:it|about\sit))\b.{0,20}$
        |^(?:i\s(?:love|like|hate|miss)\s(?:you|this|it)|sing\b|do\syou\s(?:love|like|feel|dream|sleep|eat)|i(?:'m
        |\sam)\s(?:\w+\s)?(?:bored|sad|happy|tired|fine|good|lonely))"""
    ),
}  # fmt: skip
NODS = word_set("""
    yes yep yup yeah yea ya ye no nope nah ok okay k sure right correct fine great cool nice good perfect awesome
    maybe perhaps not really actually quite so sure i i'm im am don't dont know that that's thats is was would be
    it it's its true false wrong um uh hmm hm well oh ah lol haha hahaha exactly indeed absolutely definitely
    alright agreed go ahead proceed wow got understood see interesting very too all a the ja nein oui
    non sí si no 好 好的 是 对 嗯
""")
DRAW = _re(
    r"""
        (?:draw(?!\s(?:(?:an?|the|my|some|any)\s)?(?:conclusions?|comparisons?|distinctions?|parallels?|inferences?
        |attention|curtains?|blinds?|bath|lots|breath|money|cash|up|on|from|near|back|out)\b)
        |paint|sketch|illustrate|doodle|zeichne|male|dessine|dibuja)(?!\w)|画(?![家作廊])
    |(?:make|create|generate|design|give|show|get|i\swant|i\sneed)\b.{0,40}?\b(?:pictures?|images?|illustrations?
        |drawings?|paintings?|sketch(?:es)?|logos?|icons?|posters?|wallpapers?|cartoons?|bild|dessin|dibujo)\b"""
)
DRAW_AGAIN = _re(
    r"""
        (?:make|turn|paint|draw|let|give)\s(?:it|them|that|this|the)\b|(?:add|remove|change|replace|put|swap|use)\b
    |(?:now|and|but|the\ssame|again|another|more|less|bigger|smaller|brighter|darker|without|with)\b"""
)
"""Matches a request to change a picture."""
ACTION = _re(
    r"""
        (?:play|book|reserve|order|buy|purchase|pay|transfer|wire|send|call|dial|phone|text|email|e-mail|mail|turn
        |switch|dim|set|remind|schedule
    |cancel|open|close|start|stop|pause|freeze|unfreeze|put|lock|unlock|add|delete|remove|erase|hear|locate|request
    |print|download|upload
    |hack|post\s(?:this|that|it|an?|my)|draw\s(?:the|my)\s(?:curtains?|blinds?|bath)|write\sto|joue|réserve|commande
    |appelle|envoie|achète|reserva|compra|envía|subscribe|unsubscribe|share|redeem|activate|deactivate|block|top\sup|withdraw|deposit|wake\sme|make\s(?:a|an
    |me|my)|create\s(?:a|an)\s(?:reminder|event|appointment|list)
    |use\s(?:my\s)?phone|computer,|take\sa\s(?:note|picture|photo|screenshot)|remember\sto|looking\sfor\smy|spiele?
    |buche|stell|kaufe|ruf
    |report\s(?:a|my)\s(?:lost|stolen|missing)|write\s(?:me\s)?(?:a|an)\s(?:poem|song|story|letter|email|joke|haiku
    |program|script))\b"""
)
ASKS = _re(
    r"""
        ^(?:and\s|but\s|then\s)?(?:who|whom|whose|what|whats|when|where|wheres|why|how|hows|which|is|are|was|were
        |do|does|did|has|have|had|can|could|should|shall
    |will|would|may|might|am|tell|give|show|find|search|look|explain|define|describe|convert|translate|list|name
    |calculate|compute|note|provide|check
    |summari[sz]e|compare|suggest|recommend|i\s(?:need|want)\sto\sknow|know|any\b|read|fetch
    |wer|was|wann|wo|warum|wie|welche[rsn]?|ist|sind|gibt|qui|que|quoi|quand|où|pourquoi|comment|combien
    |quel(?:le)?s?|est-ce
    |quién|qué|cuándo|dónde|cómo|cuál|cuánto|chi|cosa|dove|quando|perché)\b
    |\b(?:is|are)\s(?:what|where|when|who|how\s\w+)$|tell\sme|look\s(?:it\s)?up|what(?:'s|\sis)\snew|(?:want
    |need)\sto\sknow|wonder"""
)
WIDE_ASKS = re.compile(r"什么|如何|怎么|怎样|为什么|哪|谁|多少|吗|呢$|介绍|查|とは|ですか|何|なぜ|인가|무엇")

PAIRS = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "「": "」", "„": "“", "`": "`", "《": "》"}
MARKS = re.compile(r":\s|：|\n|\s-{2,}\s|\?\s+(?=\S)|(?<!\w)[\"'“‘«「„`](?=\S)")
TEXT_NOUN = (
    r"(?:text|comment|message|post|tweet|review|content|sentence|e-?mail|reply|caption|statement|paragraph|passage"
    r"|headline|listing|bio|sms)s?"
)
JUDGE_STRONG = _re(
    rf"""\bmoderat(?:e|es|ing|ion)\b(?!\s(?:(?:an?|the|our|my|this)\s)?(?:\w+\s)?(?:exercise|weather|climate|rain|wind|debate
    |discussion|panel|meeting|talk|forum|event)s?\b)
    |\bmod[eéè]r(?:e|er|ez|ier|iere|iert|a|ar)\b|\bse\spuede\spublicar\b|\bpeut-on\spublier\b|\bkann\s(?:ich|man|das)\b.{{0,40}}\bveröffentlich
    |\b(?:is|are|would|was)\s(?:this|that|these|it|the\sfollowing)\b.{{0,60}}?\b(?:spam|offensive|toxic|hateful
    |hate\sspeech|harmful|inappropriate|abusive|a\sscam)\b
    |\b(?:is|are|would)\s(?:this|that|these|it|the\sfollowing
    |my)\s(?:\w+\s){{0,2}}{TEXT_NOUN}?\b.{{0,40}}\b(?:ok(?:ay)?|safe|fine|allowed|appropriate|acceptable|suitable)
    \s(?:to\s(?:post|publish|send|share|say|show|print|put)|for\s(?:publi|children|kids|work|posting|all))
    |\b(?:break|violate|breach|against|comply|compliant|conform)\w*\b.{{0,30}}\b(?:rules?|polic(?:y|ies)
    |guidelines?|terms|standards)
    |\bas\s(?:safe|spam|harmful|toxic|inappropriate)\b|\b(?:safe|spam|harmful|toxic|ham)\sor\s(?:not|safe|spam
    |harmful|toxic|ham|inappropriate|unsafe)\b
    |\b(?:policy|safety|spam)\s(?:problems?|issues?|check|violations?)\b
    |\b(?:check|judge|screen|vet|flag|assess|rate|review|classify)\b.{{0,30}}\b{TEXT_NOUN}\b.{{0,50}}\b(?:spam
    |safe|safety|harm|polic|problem|offens|abus|toxic|rules?|appropriate)
    |\bist\s(?:das|dies\w*)\b.{{0,40}}\b(?:ok(?:ay)?|erlaubt|spam|in\sordnung|beleidigend|harmlos)\b
    |prüfe?\b.{{0,30}}\b(?:text|kommentar|nachricht)|审核|是否违规|是否合适"""
)
JUDGE = _re(
    rf"""
        \b(?:check|judge|screen|vet|flag|assess|rate|review|classify|categori[sz]e|evaluate|label
        |inspect)\b.{{0,40}}\b(?:{TEXT_NOUN}|this|following)\b
    |\b(?:is|are|would)\s(?:this|that|these|it|the\sfollowing|my)\b.{{0,60}}\b(?:ok(?:ay)?|safe|fine|allowed
    |appropriate|acceptable|suitable|offensive|spam|harmful|rude|polite)\b
    |\b(?:ok(?:ay)?|safe|fine)\sto\s(?:post|publish|send|share|say)\b
    |\b(?:can|may|should|could)\s(?:i|we)\s(?:post|publish|send|share|print)\s(?:this|that|it|the\sfollowing)\b|\bis\s\W*\s*(?:ok|safe|spam|harmful
    |appropriate|offensive|toxic)"""
)
STUDY = _re(
    r"""
        \b(?:in-depth|in\sdepth|deep\s(?:research|dive|analysis)|comprehensive|thorough(?:ly)?|literature\sreview
        |white\s?paper|systematic\sreview
    |detailed\s(?:analysis|report|comparison|study|overview|review|survey|investigation|account)
    |compare\b.{3,120}\bin\sdetail|(?:do|conduct|carry\sout|make|start|run|begin|launch)\s(?:a\s|an\s|some\s
    |the\s)?(?:\w+\s)?(?:research|study|investigation|survey|analysis)
    |(?:write|prepare|produce|create|compile|draft|make|give\sme|need|want|get\sme|like)\s(?:me\s)?(?:a|an|the
    |some)\s(?:\w+[\s-]){0,3}?(?:report|paper|study|essay|analysis|dossier|survey|thesis|research)\b(?!\s(?:error
    |bug|paper\stowel))
    |research\s(?:on|into|project|and\sanaly[sz]e|report|progress|question)|(?:report|study)\s(?:on|about
    |of)\s(?:the\s|how\s)?\w+
    |(?:étude|recherche|analyse|enquête)\sapprofondie|rapport\s(?:détaillé|de\srecherche)|estudio\s(?:detallado|profundo)
    |investiga\w*\sa\sfondo|(?:escrib\w+|redacta|prepara|haz(?:me)?)\sun\s(?:\w+\s)?(?:informe|estudio)
    |(?:schreibe?|erstelle|verfasse|mache?)\s(?:mir\s)?(?:bitte\s)?(?:einen|eine)\s(?:\w+\s){0,3}\w*(?:bericht|studie|recherche)
    |(?:écri[st]|écrivez|rédige[rz]?|fais|prépare[rz]?)\s(?:moi\s)?une?\s(?:\w+\s){0,2}(?:rapport|étude)
    |scriv\w+\sun\w?\s(?:\w+\s)?(?:rapporto|relazione)|ricerca\sapprofondita
    |data\sand\sevidence|hypothes[ie]s|acting\sas\s(?:a|an)|case\sstudies|study\snotes|state\sof\sthe\sart)\b
    |调研|研究报告|深入|综述|收集整理|横向比较|对比分析|写一篇|学术分析|研究一下|詳しく調査"""
)
STUDY_START = _re(
    r"""
        (?:deep(?:ly)?\s)?(?:research|investigate|study|analy[sz]e|explore|exploring|survey)\s(?!this\b|that\b|my\b
        |the\sfollowing|it\b|shows?\b|papers?\b|methods?\b)\w
    |分析|研究|总结|探讨|recherchiere|untersuche|new\sresearch:|neue\srecherche:|nouvelle\srecherche\s?:|nueva\sinvestigación:"""
)
STUDY_HINT = _re(
    r"""
        \b(?:research\w*|analy[sz]\w+|analysis|evaluat\w+|compar\w+|trends?|implications?|impacts?|influenc\w+
        |strateg\w+|strengths?|weaknesses|framework\w*|factors?
    |challenges|mechanisms?|advancements?|perspectives?|projections?|assess\w*|methods?|systematic\w*|theor\w+
    |report|study|studies|role\sof|interventions?|broad\soverview|accurate|effectiv\w+)\b
    |研究|分析|影响|趋势|评估|现状|总结|整理|方案|发展|因素|理论|比较|对比|未来|路线|画像|可能性|资料|政策|结合"""
)
NO_STUDY = _re(
    r"^(?:tell|erzähl|raconte|cuéntame)\w*\b.{0,30}\b(?:joke|witz|blague|chiste)\b"
    r"|\bwhat\s(?:a\s|an\s)?(?:\w+\s)?(?:report|study|research|run)\s(?:is|are|means?)\b"
    r"|\b(?:no|not|don'?t|do\snot|never|without|instead\sof)\s(?:need\s|want\s|start\s|do\s|any\s|a\s|the\s"
    r"|doing\s)*(?:research|report|study)\b|^what\s(?:is|does|are)\s(?:a\s|an\s)?\w*\s?(?:research|report"
    r"|study)(?:\smean)?\??$|^what\sdo(?:es)?\b.{1,60}\bmean\W*$|^(?:many\s)?(?:thanks|thank\syou|thx)\b.{0,60}$"
    r"|^(?:i|we|he|she|they|somebody|someone|my\s\w+)\s(?:just\s|once\s|already\s)?(?:read|saw|wrote|heard|finished|found|liked?"
    r"|loved?|works?|worked)\b.{0,80}$"
    r"|^(?:is|are|was|were|does|did|do\s(?:you|we|i|they)|should|shall|has|have|how\s(?:do|can|should|long|much|many))"
    r"\b(?!.*\b(?:in[-\s]depth|detail))(?:\s*\S+){1,11}$"
)
"""Matches messages that contain words of a study but do not ask for one.

These are refusals, questions about the meaning of a word, remarks about something read or done, and short questions.
"""
DEFINITION = _re(r"^what(?:'s|\sis|\sare)\san?\s|^what\sdo(?:es)?\b.{1,60}\b(?:mean|contain|do)$|^who\b")
"""Matches a question about things in general, not about a place or a day."""
ABOUT_PICTURES = _re(r"^(?:what|who|how|when|where|why|which|is|are|was|were|do|does|did)\b")
"""Matches a message that asks a question, which needs words and no picture."""
CAN_YOU = _re(
    r"""
        ^(?:can|could|do|are)\syou\s(?:(?:also|even|able\sto)\s)*(?:draw|paint|sketch|moderate|search|research|translate
    |calculate|write|code|program|sing|read|see|hear|(?:speak|understand)\s\w+
    |(?:do|make|write)\s(?:\w+\s)?(?:research\w*|pictures|drawings|moderation|reports|searches|calculations|studies))\W*$"""
)
"""Matches a question about abilities that sets no task."""
FACT_ASKED = _re(
    r"^(?:who(?:m|se)?|when|where|what(?:'s|\s(?:is|are|was|were|does|do|did)))\b(?!.*\b(?:in[-\s]depth|detail|latest"
    r"|state\sof\sthe\sart)\b)(?:\s*\S+){1,9}$"
)
"""Matches a short question about a fact or the meaning of a word."""
QUICK = _re(r"\b(?:briefly|quick(?:ly)?|in\s(?:a|one)\s(?:word|sentence)|short\sanswer|just\stell)\b")
ELLIPTICAL = _re(
    r"""
        (?:and|und|et|y|e|also|or)\s(?!(?:who|why|how|what)\b)|(?:what|how|wie|was)\s(?:about|ist\smit|wäre)
        |(?:(?:sorry|no|oops)[\s,]+)*i\smeant?\s|same\s(?:for|in|but)|the\ssame|now\s(?:in|for)
    |in\s(?:celsius|fahrenheit|metric|imperial|english|german|french|spanish)|(?:go|carry|keep)\s(?:on|going)
    |continue|next|more|(?:once\s)?again$|another(?:\sone)?$|weiter
    |(?:for\s)?(?:today|tomorrow|tonight|this\sweek|next\sweek|the\sweekend|the\snext\s\w+\sdays)$|那|还有|继续"""
)
ASSENT = _re(
    r"""
        (?:yes|yep|yup|yeah|sure|ok|okay|please|go|go\s(?:ahead|for\sit|on)|do\s(?:it|that|so)|start(?:\s(?:it
        |now))?|approved?|i\sapprove(?:\sit)?|proceed|fine|sounds\sgood|looks\sgood|perfect|great
    |continue|ja|oui|sí|si|好|好的|可以|开始|同意)(?:[\s,]+(?:yes|please|go\sahead|do\sit|do\sthat|start(?:\sit)?|approved?
    |the\splan|it|with\s(?:it|the\splan)|now|thanks|proceed))*"""
)
REWORD = _re(
    r"""
        ^(?:summari[sz]e|shorten|condense|simplify|rephrase|reword)(?:\s(?:it|that|this|please|again|briefly
    |(?:in|for|as|into)\b.*|the\s(?:report|answer|above|findings|results?|study|research)|your\s(?:report|answer|findings)))*$
    |\b(?:shorter|simpler|briefer|more\s(?:briefly
        |simply))\b|tl;?dr|in\s(?:short|brief|simple\s(?:words|terms)|one\ssentence|a\snutshell)
    |sum\s(?:it|that|this)\sup|key\s(?:points|findings|takeaways)|main\s(?:points|findings)|explain\s(?:it|that
    |this)|kürzer|zusammenfassung|总结一下"""
)
