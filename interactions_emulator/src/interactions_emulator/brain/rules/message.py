"""Reads a message into acts, such as a yes, an order or a question, by English words and some of other languages."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from interactions_emulator.corpus.rhythms import in_english
from interactions_emulator.corpus.words import terms, word_set

Act = Literal[
    "thanks", "greeting", "bye", "about_you", "abilities", "joke", "recall", "ask_fact", "tell_fact",
    "judge", "draw", "do", "ask", "topic", "definition", "continue", "forget", "yes", "agree", "fine", "no", "denies",
    "nod", "later", "change", "comment", "order", "further", "cost", "status", "show", "list", "cancel", "repeat",
    "delete", "report", "pause", "resume",
]  # fmt: skip
"""What a message does; it may have several acts. `yes` may start something, `agree` may delete something, and `fine` is
a yes directly after the question only. `denies` begins with a no, and `no` wants nothing else. `nod` has only words of
a reply, such as “fine”, `topic` has a few words without a verb, and a `comment` asks for nothing."""
JOB_ID = re.compile(r"\b(?:job|sched)_\w+", re.IGNORECASE)
"""The id of a research run, or of a schedule of runs."""
MAX_CHARS, MAX_PARTS, MAX_REPLY_WORDS, MAX_COMMAND_WORDS, MAX_TOPIC_WORDS = 2_000, 8, 9, 12, 8
"""Maximum characters and parts that are read, and words of a yes or no, of a command, and of a topic."""


def compiled(lines: str) -> re.Pattern[str]:
    """The pattern that is written in several lines, without their breaks and indents."""
    return re.compile("".join(map(str.strip, lines.splitlines())))


STUDY = compiled(r"""(?:(?:report|study|dive|analysis|investigation|review|research|\w*bericht|studie|\w*recherche
    |rapport|étude|informe|estudio|investigación|ricerca|rapporto|pesquisa|relatório)s?|researches|studies|analyses)""").pattern
"""Matches a word for a research run or its report."""
RUN = rf"(?:{STUDY}|runs?|schedules?)"
"""Matches a word for an entry in the list of research runs."""
EVERY = r"\b(?:(?:every|each) ((?:week|mon|tues|wednes|thurs|fri|satur|sun)?day|week|month|quarter)s?|(week|month)ly)\b"
"""Matches how often research is repeated."""
OF_SCHEDULE = rf"\b(?:the|my|that|both|all) (?:schedules?\b|{EVERY} {RUN})"
RHYTHM = compiled(r"""(?i)\b(?:every (?:other|second|two|three|\d+) (?:day|week|month)s?|(?:once|twice) an? (?:day|week
    |month|year)|bi-?weekly|fortnightly|alle \w+ wochen|every \w*day\b.*\b(?:and|every) \w*day)\b|\bquarterly\W*$""")
"""Matches how often research is to be repeated, in words that are not understood."""
_A = r"(?:an?|another|some|two|three|eine?n?|une?|una|uma|um)"
_ASSENT = r"(?:(?:yes|yeah|yep|sure|ok|okay|fine|good|go ahead|i want to|i'd like to|and|then|just) )*"
_ENDING = r"(?:stopp?|cancel|abort|end|scrap|kill|beende|annule|cancela|detén|ferma|arrête|annulla)"
OTHER_FORM = r".* (?:as|in) (?:an? )?(?:table|slides|bullets|bullet points|german|french|spanish|italian|chinese)$"
_ENDED = rf"(?:it|this|that|both|all|now|everything|\w{{1,4}} ?(?:\w+ )?{RUN}|the .*one\b.*)"
_NAMED = r"(?! (?:if|when|wenn|falls|si|se|now|nothing|later|it|that|too|plan|i'[vm]e?|you|your|non?|nein|façon)\b)"
_NO_CHANGE = compiled(r"""(?! (?:want|need|would|only|focus)\b)(?!.*\b(?:should|must|sollte|why|what|how|which|shorten
    |summar\w*|translate|(?:and|but|aber|mais|pero) (?:also |please )?(?:add|include|cover|leave|drop|skip|focus
    |make))\b)""").pattern
_FEW_USD = r"\b(?:\d{1,2} (?:dollars?|usd|bucks)|dollars \d{1,2})\b"
_ERASING = r"(?:delete|erase|remove|forget|drop|lösche?|vergiss|supprime|oublie|borra|olvida|cancella|apaga)"

_ACTS: dict[Act, str] = {
    "thanks": r"^(?:(?:many|ok|great|perfect|well) )*(?:thanks?|thx|danke|merci|gracias|谢谢)\b",
    "greeting": r"^(?:hi|hiya|hello|hey|good (?:morning|evening)|guten (?:tag|morgen)|bonjour|hola|привет|你好)\b",
    "bye": r"\b(?:bye|goodbye|good night|see you (?:soon|later|tomorrow)|tschüss|au revoir|adiós|再见)\b",
    "abilities": r"""^was kannst du$|^help$|\bwhat (?:can|do) (?:you|u|i) (?:do|ask|help)\b(?!.* about)
      |^(?:can|could|do) you (?:speak |do )?\w+$""",
    "about_you": r"""
      ^(?:who|what|how|whe\w+|are|do|did|was)\b(?!.*\b(?:report|sources?|find|get|say|said|look|list)\b).{0,40}\byour?\b
      |^you\b|\byour (?:system prompt|instructions|configuration)|\bprevious instructions\b|\bapi key\b|^nice to""",
    "joke": r"\b(?:joke|witz|blague|chiste)\b",
    "recall": r"""\bwhat (?:did|have|had) (?:i|we|you)\b.*\b(?:ask|asked|say|said|tell|told|talk|talked|discuss)\b
      |\bmy (?:first|last|previous) (?:question|message)|^(?:repeat|say) (?:that|it|this)(?: again)?$""",
    "ask_fact": r"^(?:and )?(?:what(?:'s| is| was)|do you know|remember|tell me) my (?:\w+ ){0,2}\w+$|^who am i$",
    "tell_fact": r"\bmy (?:\w+ ){1,3}(?:is|are)\b|\b(?:i'm called|call me)\b|^i'm \w+$|^mein name ist\b",
    "draw": r"""^(?:draw|paint|sketch|illustrate|zeichne|dessine|dibuja)\b(?! (?:up|the curtains|an? conclusion))|^画
      |^(?:make|create|design|generate|give|i need|i want|i'd like)\b.{0,40}\b(?:picture|image|illustration|drawing)\b
      |^(?:make|create|design|generate|i need|i want|i'd like)\b.{0,40}\b(?:logo|icon|poster|photo)\b""",
    "do": r"""
      ^(?:play|book|reserve|send|turn|set|transfer|order|remind|call|buy|freeze|hack|open|pay|post|spiele|réserve)\b
      |^(?:write|talk) to\b|^(?:delete|remove) all\b|^draw the curtains|^write (?:me )?an? (?:haiku|poem|letter)\b""",
    "ask": r"""
      ^(?:and |but )?(?:who|whose|what|when|where|why|how|which|is|are|was|were|do(?! not| it)|does|did|has|can)\b
      |^(?:will|would|should|give me|show me|find|search|look up|explain|define|describe|compare|translate|summarise)\b
      |\btell me\b|^read\b""",
    "definition": r"^(?:what(?:'s| is| are) an? |what (?:do|does) |who\b|when was\b)",
    "continue": r"""^(?:and|but|or) (?!(?:who|why|how|which|what(?:'s| is| are))\b)|^(?:what|how) about\b
      |^(?:sorry |no )?i meant?\b|^(?:make|turn|colou?r) (?:it|the|them)\b|^(?:add|remove|now|another|again|same)\b
      |^in \w+$|^the (?:\w+ )?one\b|^say (?:it|that) in\b|\b(?:shorter|simpler|in one sentence)\b
      |^(?:summari[sz]e|shorten|rephrase|explain) (?:it|that|this)\b|^the (?:other|opposite|first|second|last)\b""",
    "forget": rf"""^(?:and )?{_ERASING}\b.*\b(?:conversation|chat|gespräch|unterhaltung|conversación)\b
      |^{_ERASING} (?:everything|alles|tout|todo)(?: (?:that )?(?:we|i)\b.*)?$""",
    "later": r"""\bnot (?:right )?(?:yet|now|today)\b|\b(?:do not|don't|dont) (?:start|begin|research)\b(?!.*\bit$)
      |\blater$|\b(?:no|not|do not want|don't want|dont want)(?: an?| any)?(?: \w+)? (?:research|report|study)\b
      |\bnoch nichts?\b|\bplus tard\b|\brien pour l'instant\b|\bahora no\b|\bnada todavía\b|\bnon ancora\b|\bainda não\b
      |\bpas (?:maintenant|encore)\b|^(?:start|begin|run|do)\b.*\b(?:after|until|once|when) i\b
      |^(?:hold on|hang on|wait|not (?:this \w+|without|until|before|unless))\b
      |\b(?:let me|i) (?:need to )?(?:think|sleep on|ask m|check with|talk to)
      |\b(?:maybe|perhaps|rather) (?:next \w+|tomorrow|later)\b""",
    "no": r"""^(?:(?:actually|just|all right|alright|ok|well|then) )*forget (?:about )?(?:it|that|this)$
      |\bnever ?mind\b|\bchanged my mind\b|\bdecided against (?:it|this|that)$|\banswer(?: is|'s) no$
      |^(?:do not|don't|dont) schedule\b|^(?:hell no|no deal|surtout pas|in your dreams|sans façon|oui mais non)\b
      |^(?:nee|nö)\b|\blass (?:mal|es)\b|\bauf keinen fall\b|\bnot worth (?:it|the \w+)$
      |\b(?:(?:can't|cannot) (?:really )?afford|(?:too much|no) money|i'm broke|by (?:mistake|accident)|not an order)\b
      |\bbudget(?:'s| is)? (?:all )?(?:gone|spent|empty|used)\b|\b(?:only|just) (?:asking|joking|kidding|curious)$
      |\b(?:don't|do not|dont|no longer) (?:\w+ )?(?:need|want) (?:it|this|that|one)(?: now| any ?more)?$
      |n't an order\b|^(?:schon gut|laisse tomber|déjalo|lascia perdere|deixa lá)$""",
    "change": rf"""
      \b(?:also|add|include|cover|leave (?=.*\bout\b)|without|only|focus|instead|shorter|longer|exclude)\b{_NAMED}
      |\b(?:as well|auch|nur|ohne|ergänze?|aussi|mais|seulement|ajoute|sans|también|solo|sólo|añade)\b{_NAMED}
      |\b(?:sin|anche|só|skip the)\b{_NAMED}|^(?:make|show|give|try)\b.*\b(?:another|new|different) plan\b
      |^(?:but(?! only)|drop|remove|replace|skip|put|for|in|as|max|make it|use|more|less)\b{_NAMED}|\btoo$
      |^forget (?:about )?the\b(?! {STUDY})|\brather than\b""",
    "comment": rf"""
      ^(?:i|we|my|you|they|it|this|that|j'aime|me|c'est|very|really|nice|cool|interesting|lovely|good)\b{_NO_CHANGE}
      |^it's\b|^(?:the|der|die|das|le|la|el|ce) (?:\w+ ){{1,3}}(?:is|are|was|looks|seems|ist|gefällt|est)\b{_NO_CHANGE}
      |^(?:send|share|e-?mail|print|export|download|save|publish|who (?:wrote|made))\b
      |\bmoney back\b|\brefund\b|\bpdf\b|^is (?:it|this|that) (?:true|right|wrong|correct|good)$""",
    "order": rf"""
      ^(?:research|investigate|look into|explore|study|untersuche|recherchiere|étudie|investigar?|new research)\b|調べ
      |\b{_A} (?:(?!the\b)[\w'-]+ ){{0,4}}{STUDY}\b(?! of (?:this|my) text)|\bdeep research max\b|研究
      |^(?=.*{EVERY}).*\b{RUN}\b|(?:^(?:write|do)(?: \w+)?|\bplan for(?: an?)?) {STUDY} (?:about|on)\b|\bplan for that$
      |^(?:do|run|research) (?:it|this|that) (?:again )?{EVERY}|^schedule (?:an?|the|my|this|that|it)\b|レポート""",
    "further": r"\b(?:further|deeper)\b|\bbuil(?:ds?|t|ding) (?:up)?on\b|\bbased on (?:this|that|it|the)\b",
    "cost": rf"""\bhow (?:much|expensive)\b.*\b(?:costs?|it|that|pay|charge|spen[dt]|be|research|report)\b|\bhow long\b
      |kostet|teuer wird|\bwithout (?:paying|charging)\b|\b(?:if|si|wenn|only) .*\b(?:free|gratis|kostenlos|gratuit)$
      |^(?!.*(?:{EVERY}|\bmonth)).*\b(?:spend|pay|limit of|at most|up to|not? more than)\b.*{_FEW_USD}
      |^(?!.*(?:{EVERY}|\bmonth)).*(?:^|\b(?:for|is|be|costs?|but|only|if|it) )(?:less than|under|below) {_FEW_USD}
      |^(?:combien|quel serait le prix|cuánto|quanto)\b|^when .*\b(?:done|ready|finished)$|\bcost me\b|is the plan free$
      |\bwhat\b.*\b(?:costs?|price|charge)$|\bwhat (?:(?:did|does) (?:it|this|that) cost|(?:did|have) i spen[dt])\b""",
    "status": rf"""^(?:what(?:'s|s| is) )?(?:the |my |its )?(?:status|progress)\b
      |^how(?:'s|s| is| far)\b.*\b(?:it|research|run)\b
      |^(?:is|are|when) .*\b(?:ready|done|finished|running)(?: yet| now)?$|\bany (?:news|progress)\b
      |^(?:continue|resume)(?: (?:my|the|it|{STUDY}))*$|^wie (?:weit|steht)\b|^ça avance|^cómo anda|^a che punto
      |^como está\b|^où en est\b|^cómo va\b|\bhow far (?:is|are) (?:my|the) (?:\w+ )?{RUN}$""",
    "show": rf"""
      ^(?!{OTHER_FORM})(?:show|open|give|see|read|zeige?|montre|muéstra|mostra)\w*\b.*\b(?:{STUDY}|results?|it)\b
      |^(?:show|open|see)\b.*\bschedule$|^where(?:'s| is) (?:my|the) {STUDY}\b
      |^(?:the|my) (?:\w+ )?{STUDY}\b.*\bagain$""",
    "list": rf"""^list(?: (?:all|everything|of|me|my|the|recurring|{RUN}))*$
      |^what(?:'s| is) (?:still )?(?:open|waiting|pending)$
      |^(?:what|which) (?:\w+ )?{RUN} (?:do i|are there)\b|\bwhat (?:did|have) i (?:already )?research
      |^(?:show|what|do i have|are there)(?: (?:me|all|of|my|the|are|any))* (?:schedules|runs|recurring {RUN})$""",
    "cancel": rf"""^{_ASSENT}{_ENDING}(?:-la)?(?: {_ENDED}.*)?$|^abbrechen$|^brich .*\bab$
      |^{_ASSENT}(?:{_ENDING}|(?:i )?(?:do not|don't|no longer) (?:want|need))(?: \w+)? {EVERY} {RUN}(?: any ?more)?$
      |^{_ERASING}\b.*\bschedules?$""",
    "pause": rf"^{_ASSENT}(?:pause|suspend)\b(?! .*plan$)", "resume": rf"^{_ASSENT}(?:resume|unpause)\b",
    "repeat": r"^(?:start|run|do|try|research)\b.*\bagain$|^(?:repeat|retry|wiederhole|refais|repite|ripeti|repete)\b",
    "delete": rf"""^{_ERASING}$|^{_ASSENT}{_ERASING}\b.*\b(?:{STUDY}|one|draft)\b
      |^{_ASSENT}(?:delete|erase|remove) (?:it|this|that|both)(?: now| too| afterwards)?$""",
    "report": rf"""\bthe (?:\w+ )?{STUDY}\b
      |\b(?:sources?|sections?|conclusions?|cited|slides?|presentation|table|version|(?:first|second|last) point)\b
      |\b(?:summar|shorte[nr]|translat|folien|fasse|quellen|bericht|résum|tableau|rapport|resum|tabla|informe|riassum)
      |\b(?:tabella|relatório|tabela|explain (?:it|that))\b|^(?:and )?what does it\b""",
}  # fmt: skip
"""Patterns that are searched in a message without punctuation and polite words."""
_WHOLE: tuple[Act, ...] = ("thanks", "greeting", "bye", "abilities")
"""Acts that are looked for in the message with its polite words."""
_PATTERNS = {act: compiled(lines) for act, lines in _ACTS.items()}
_NOT_ORDERING = compiled(rf"""^(?:what|which|who|where|when|why|how|is|are|was|does|did|should
    |do (?!(?:it|this|that)\b|(?:[\w-]+ ){{0,3}}{STUDY}\b)|suppose|imagine|i (?:read|saw|love|like|wonder|never
    |have to)|(?:and |but )?if i|and with|translate|my|we|they|you|show|see|give me the|open)\b""")
_PERSONAL = re.compile(r"\b(?:i|i'm|you|we|my|it|that|your)\b")
_YES = word_set("""yes y yess yup yep yeah sure approve approved confirmed absolutely ja klar einverstanden oui sí si
    claro dale sim sì certo はい""")
_AGREE = _YES | word_set("""agreed d'accord ok k okay alright fine perfect good passt gut parfait bon bien vale bene bem
    好 好的 可以""")
_BEGIN = word_set("""begin start go proceed do run los geht's leg lege starte mach commence lance lance-la vas-y
    allez-y adelante hazlo empieza procedi vai começar avança 开始""")
_STOP = word_set("keep leave stop skip cancel drop")
_NO = _STOP | word_set("no n nope nah not don't dont never expensive nein nicht teuer non cher caro não いいえ")
_DOUBTS = word_set("""whatever too much i'd mind about rather better but wait did hmm hm um so lieber mejor zu trop
    demasiado troppo muito""")
_CLOSING = word_set("thanks thank you danke merci gracias grazie obrigado oh all report research recherche")
"""Words after which “ok” and “good” do not mean yes: “ok thanks”, “good report”."""
_FILLERS = word_set("""it that that's this please now then for let's sounds looks right the with plan to me is it's
    i know my want really just well great actually of course forget delete both and ahead again das es bitte die klingt
    sieht aus ist mir na c'est la y por supuesto me parece está es muy va pode è é ach doch お願いします""")
_REPLIES = _AGREE | _BEGIN | _NO | _DOUBTS | _CLOSING | _FILLERS
_DENIES = compiled(r"""(?i)^\W*(?:(?:oh|ah|well|hmm?|sorry|actually|but)\W+)*(?:no+|nope|nah|nein|nee|nö|non
    |não)\b(?:\s*[,.;:!–—-]\s*|\s+(?=(?:thanks?|i|i'm|i'd|we|it|it's|that|that's|this|way|ich|das)\b))(?=.*\w)""")
_NO_WISHES = frozenset(("denies", "no", "nod", "fine", "topic", "comment", "thanks", "tell_fact", "bye"))
_AS_OK = compiled(r"""👍|\b(?:no (?:problem|worries|changes?)|nothing to (?:add|change)|never mind the (?:price|costs?)
    |i'm fine with (?:it|that|this))\b""")
_COMMANDS = frozenset(("cancel", "delete", "forget", "repeat", "no", "denies"))
_ASKING = compiled(r"""(?is)^(?!.*\b(?:(?:can|could|would|will) (?:yo)?u|please|kannst du|peux-tu|puedes)\b)
    .*[?？]\W*$""")
_HESITATES = compiled(r"""^(?:(?:and|well|ok|okay|yes|good|great) )*(?:is (?:it|that|this|the|my)|do (?:i|you)
    |ist (?:das|es|die))\b|\bna ja\b|\b(?:yeah|yes|yep|sure) (?:right|well)\b|\bfor now\b""")
"""Matches a question that may lack its question mark, sarcasm and hesitation: “is it good”, “yeah right”, “na ja”."""
_POLITE = compiled(r"""(?i)[\s,]*\b(?:please|plz|pls|(?:and )?thank(?:s| you)(?: (?:so|very) much)?|thx|bitte|danke
    |por favor|gracias|s'il (?:te|vous) plaît|merci|per favore|for me)(?=\W|$)""")
_OPENER = compiled(r"""(?i)^[\s,.!¿¡-]*(?:(?:ok(?:ay)?|so|well|hm+|hi|hello|hey|hola|hallo|bonjour|there|great
    |perfect|also|maybe|good (?:morning|evening)|(?:can|could|would|will) (?:yo)?u|i(?:'d| would) like (?:you )?to
    |i want (?:you )?to|if i asked you to|do you know(?= wh)|what (?:can you tell me|do you know) about|kannst du
    |peux-tu|puedes|qué tal|(?:good|fine|nice|cool|interesting)(?=[,.!])|and(?: then|(?= also))|plan first(?=:? \w)
    |请)(?:[\s,.:;!?]+|$|(?<=请)))+""")
_TYPOS = re.compile(r"(?i)\b(?:resarch|reserch|reseach|reasearch|researhc|reserach|rsearch)\b")
_APART = re.compile(r"(?i)(?:[,.;!?]*\s(?:and|then)|[.;!?])\s+(?:(?:and|also|then|please|(?:can|could) you)\s+)*(?=\w)")
_ASKS_WEATHER = re.compile(r"(?i)(?:(?:tell|give|show) me |what(?:'?s| is| will) )the (?:weather|forecast)\b")
_PAIRS = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "「": "」", "„": "“", "`": "`"}
_OPENING = re.compile(rf"(?<!\w)[{''.join(_PAIRS)}](?=\s?[^\s{''.join(_PAIRS)}])")
_SEPARATOR = re.compile(r":\s+|：|\n\s*|\s-{2,}\s")
_JUDGED = compiled(r"""(?i)\bmod(?:erat|ère|erier)\w*|\bsafe\b|\bspam\b|\bpubli\w+|\bappropriate\b|\bok(?:ay)?\b
    |\bfine to\b|\brules\b|\bcheck (?:this|whether|the)\b|审核""")


@dataclass(frozen=True)
class Message:
    """A message and its acts. `plain` is its text in lower case without ids, punctuation and polite words."""

    text: str
    plain: str
    acts: frozenset[Act]

    def has(self, *acts: Act) -> bool:
        """Whether the message has one of these acts."""
        return not self.acts.isdisjoint(acts)


@lru_cache(maxsize=256)
def read_message(text: str) -> Message:
    """Reads the acts of a message."""
    said = in_english(_TYPOS.sub("research", "" if text == "(an empty message)" else text))  # a client's "no words"
    whole, right = _words(said), _DENIES.sub("", said)
    plain = stripped(_words(right))
    if _JUDGED.search(split_text(text)[0]):
        return Message(text, plain, frozenset({"judge"}))
    acts = {act for act, pattern in _PATTERNS.items() if pattern.search(whole if act in _WHOLE else plain)}
    acts |= {"denies"} if right != said else set()
    acts |= set() if re.search(r"[?？]", text) or _OPENING.search(text) else _replies(text, whole)
    count = len(plain.split())
    acts -= {"order"} if acts & {"cost", "later", "joke"} or _NOT_ORDERING.match(plain) else set()
    acts -= {"change"} if "comment" in acts else set()
    acts |= {"ask"} if terms(plain) and re.search(r"[?？]", text) else set()
    acts |= {"topic"} if terms(plain) and count <= MAX_TOPIC_WORDS and not _PERSONAL.search(plain) else set()
    if count > MAX_COMMAND_WORDS:
        acts -= {"about_you", "abilities", "status", "show", "list", "cancel", "delete", "continue"}
    if (set(plain.split()) <= _REPLIES or not terms(text)) and not acts & {"thanks", "greeting"}:
        acts.add("nod")
    if "denies" in acts and acts <= _NO_WISHES and not (acts >= {"nod"} and _YES & set(plain.split())):
        acts.add("no")
    acts -= {"no", "denies", "later", "change"} if "yes" in acts else _COMMANDS if _ASKING.match(text) else set()
    return Message(right, plain, frozenset(acts))


def stripped(text: str) -> str:
    """The text without polite words, such as “please”, and without phrases such as “can you” at its start."""
    return _OPENER.sub("", _POLITE.sub("", text).strip(" \t\n,;:"))


def first_wish(text: str) -> tuple[str, str]:
    """Divides “Draw a boat and research tides” after its first request; the rest is "" if there is only one."""
    if len(text) > MAX_CHARS or _OPENING.search(text) or _SEPARATOR.search(text):
        return text, ""
    for found in list(_APART.finditer(text))[:MAX_PARTS]:
        first, rest = text[: found.start()].strip(), text[found.end() :].strip()
        asked = read_message(first).has("definition") or _kind(first) == "weather"
        opens = asked and read_message(rest).has("definition") and not _PERSONAL.search(rest)
        follows = (asked or read_message(first).has("report")) and _kind(rest) in ("draw", "order", "end")
        same = ("", "yes", _kind(first), "end" if _kind(first) == "yes" else "")
        if opens or follows or (_kind(first) and _kind(rest) not in same):
            return first, rest
    return text, ""


def _kind(text: str) -> str:
    acts = read_message(text).acts
    if "draw" in acts:
        return "" if re.search(r"(?i)\b(?:conclusion|diagram|chart|table|graph)s?\b", text) else "draw"
    other = "yes" if "yes" in acts else "end" if acts & {"cancel", "delete"} else ""
    return "order" if "order" in acts else "weather" if _ASKS_WEATHER.match(text) else other


def _words(text: str) -> str:
    text = JOB_ID.sub(" ", text[:MAX_CHARS]).casefold().replace("’", "'").replace("$", " dollars ")
    text = re.sub(r"yes, i'm sure|\bby all means\b", "yes", text).replace("👎", "no").replace("right away", "now")
    text = re.sub(r"\b(what|how|who)s\b", r"\1's", _AS_OK.sub("ok", text))
    return " ".join(re.sub(r"[^\w\s'-]|_|(?<!\w)[-']|[-'](?!\w)", " ", text).split())


def _replies(text: str, whole: str) -> set[Act]:
    """A yes or a no, if the message has no other words. What cannot be undone needs a clear yes: `agree`."""
    known = set(words := (_POLITE.sub("", whole) or whole).split())
    if not words or len(words) > MAX_REPLY_WORDS or not known <= _REPLIES:
        return set()
    *_, but, last = "", *re.split(r"(\bbut\b|[^\w\s'-]+)(?=\s*\w)", text.casefold())
    if known & _NO:
        end, starts = set(_words(last).split()), _BEGIN | (_AGREE if but == "but" else _YES)
        unclear = "then" in end or (end & _YES and but != "but") or set(words[: -len(end)]) & (_BEGIN | _STOP)
        return {"no"} if not end & starts or end & _NO else set() if unclear else {"yes"}
    clear = _YES | _BEGIN if set(whole.split()) & _CLOSING else _AGREE | _BEGIN
    if _HESITATES.search(whole) or known & _DOUBTS or not known & clear:
        return set()
    if known & {"forget", "delete"}:
        return {"agree"} if words[0] in _AGREE else set()
    return {"yes", "agree"} if known & _YES else {"yes"} if known & _BEGIN else {"fine"}


def split_text(message: str) -> tuple[str, str]:
    """Divides “Is this fine to post: '...'” into instruction and text; the instruction is "" if there is none."""
    if mark := _OPENING.search(message[:MAX_CHARS]):
        end = message.rfind(_PAIRS[mark[0]])
        if end > mark.end():
            return f"{message[: mark.start()]} {message[end + 1 :]}".strip(" :"), message[mark.end() : end].strip()
    if mark := _SEPARATOR.search(message[:MAX_CHARS]):
        instruction, text = message[: mark.start()].strip(), message[mark.end() :].strip(" -\n")
        if instruction and text and len(instruction.split()) <= 40:
            return instruction, text
    return "", message.strip()
