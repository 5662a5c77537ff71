"""A small lexicon of general concepts, for choosing among the values of an enum."""

from __future__ import annotations

import re
from typing import NamedTuple

from interactions_emulator.corpus.words import stem


class Concept(NamedTuple):
    """A concept such as spam.

    `names` are the stems of words that a schema may use for it. `cues` matches words that indicate it in a text; equal
    words count once.
    """

    names: frozenset[str]
    cues: re.Pattern[str]


class Match(NamedTuple):
    """How strongly a text indicates a concept, and the first words that do so."""

    weight: float
    cues: tuple[str, ...]


def concepts_of(name: str) -> list[str]:
    """The concepts that a name such as `self_harm`, `harmful` or `isSpam` means."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ").casefold().split()
    stems = {stem(part) for part in parts} | {stem("".join(parts))}
    direct = [key for key, concept in CONCEPTS.items() if stems & concept.names]
    for umbrella, members in UMBRELLAS.items():
        if umbrella in stems:
            direct += [member for member in members if member not in direct]
    return direct


def is_benign(name: str) -> bool:
    """Whether a name means that nothing special was found, such as `safe` or `other`."""
    return bool({stem(part) for part in re.split(r"[\s_-]+", name.casefold())} & _BENIGN) and not re.match(
        r"(?i)(un|not|in)", name
    )


def match(concept: str, text: str) -> Match:
    """Find the words in a text that indicate a concept."""
    considered = _REPORTED.sub(" ", text) if concept in _NOT_IF_REPORTED else text
    found = dict.fromkeys(" ".join(m.group().split()).casefold() for m in CONCEPTS[concept].cues.finditer(considered))
    return Match(float(len(found)), tuple(found)[:5])


_NOT_IF_REPORTED = ("violence", "dangerous", "harassment")
"""Concepts that do not count in news and complaints about other people."""
_REPORTED = re.compile(
    r"""
        (?:^|(?<=[.!?]\s))(?=[^.!?]*\b(?:police|courts?|jury|convict\w*|sentenced|arrest\w*|jailed|prosecut\w+|on\strial)\b)
    (?![^.!?]*\b(?:you|your|u|i'll|i\swill|i'm|we\swill|should|must|deserve\w*)\b)[^.!?]*
    |\b(?:called|calling|calls)\s(?:me|him|her|us|them)\s(?:an?\s)?(?:\w+\s)?\w+""",
    re.IGNORECASE | re.VERBOSE,
)
"""Matches news and complaints about what other people did or said."""


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


def _concept(names: str, cues: str) -> Concept:
    return Concept(_stems(names), re.compile(rf"(?:{cues})", re.IGNORECASE | re.VERBOSE))


_BENIGN = _stems(
    "safe none neutral ok okay other benign clean ham general normal unknown fine allowed harmless unspecified na"
    " acceptable low no"
)
_PEOPLE = (
    r"(?:people|men|women|jews?|jewish|muslims?|islam|christians?|blacks?|whites?|asians?|mexicans?|arabs?|immigrants?"
    r"|refugees|foreigners|gays?|lesbians?|trans(?:gender)?s?|homosexuals?|gyps(?:y|ies)|race|races|religion"
    r"|minorit(?:y|ies)|africans?|chinese|indians?)"
)
_PROCESS = r"(?:process|job|task|server|app|session|thread|program|query|container|time|bug|light|engine)"
_NOT_A_PROCESS = rf"(?!(?:the|my|his|her|your|all)\s{_PROCESS})"
_YOU = r"(?:you|u|ya|him|her|them|himself|herself|themselves|somebody|someone|everyone|people|me)"

CONCEPTS: dict[str, Concept] = {
    "spam": _concept(
        "spam scam fraud phishing advertising advertisement promotional promotion commercial unsolicited ad",
        r"""
        \bfree\b(?!\s(?:time|speech|will|to\s(?:talk|meet|call|chat|come)|now|today|tonight|tomorrow|later))
        |\b(?:winner|won\b.{0,30}(?:prize|£|\$|cash)|you(?:'ve|\shave)?\s(?:been\s(?:selected|chosen)|won)|prize
        |lottery|jackpot|guaranteed|congrat(?:s|ulations))\b
        |\b(?:claim|redeem)\b|\bclick\s(?:here|now|the|this|on)\b|\bact\snow\b|\blimited\s(?:time|offer)\b
        |\bspecial\soffer\b|\boffers?\b|\bdiscount|\b\d+\s?%\soff\b|\bbuy\s(?:now|cheap|\d)|\bcheap(?:est)?\b
        |\border\snow\b
        |\bsubscri\w+|\bunsubscribe\b|\bringtones?\b|\btone\b|\bpolyphonic\b|\bcustomer\s(?:service|loyalty|care)
        |\bcall\s(?:now|free|0\d+|from\slandline|\+?\d{5,})|\btxt\b|\btext\b\s\S+\sto\s\d{4,}|\breply\s(?:yes|no
        |stop|with)\b|\bstop\sto\b
        |\b0(?:8|9)\d{6,}\b|\b\d{5}\b(?=\D|$)|£\s?\d|\$\d{2,}[,\d]*|\b\d+p(?:er|/|\b)|\bp/?min|\b150p
        |\bper\s?(?:week|wk|msg|min)\b|\bcash\b|\bbonus\b|\baward(?:ed)?\b|\bvoucher|\bgift\s?cards?\b|\bcasino\b
        |\bviagra\b|\bpills\b|\bcrypto\b.{0,40}\b(?:profit|invest|double)|\bearn\s(?:money|\$|£|up)|\bmake\smoney\b
        |\bwork\sfrom\shome\b|\brisk[-\s]free\b
        |\bno\sobligation|\bloan\b|\bcredit\sscore|\burgent!|\bverify\syour\saccount
        |\baccount\s(?:has\sbeen\s)?suspended|\bwire\stransfer|\bnigerian?\sprince|\bpassword\sexpir
        |https?://\S{0,60}(?:bit\.ly|tinyurl)|\bwww\.\S+|\bt&c|\bt's\s?(?:&|and)\s?c|\bopt\s?out\b|\bmobile\supd
        |\bcamera\sphone|\blatest\s(?:nokia|phone|motorola)|\bvalid\s\d+\s?h|\bgratis\b|\bgewonnen\b|\bsex\s?chat
        |\bfinal\snotice\b|\bpay\sthe\s(?:\w+\s)?fee\b|\bparcel\b.{0,40}\b(?:held|fee)\b|\bbank\sdetails\b
        |\binherit\w*\b.{0,40}\bmillion|\bsingles\s(?:in\syour|near)\b|\bclick\snow\b
        |\bdating\b|\bauction\b|\boutbid\b|\bhttp\b|中奖|免费|加微信|优惠"""
    ),
    "violence": _concept(
        "violence violent threat threats threatening kill murder assault gore terrorism extremism physical",
        rf"""
        \b(?!killed\sme\b)kill(?:s|ed|ing)?\s{_NOT_A_PROCESS}(?:{_YOU}|all|every\w*|the|my|his|her|your)\b|\bi(?:'ll|\swill|'m\sgoing\sto
        |\sam\sgoing\sto|\sgonna|'m\sgonna|\swant\sto|\swould\slike\sto)\s(?:\w+\s)?(?:kill|hurt|beat|stab|shoot
        |punch|destroy|murder|burn|strangle|break\syour|find\syou)\b(?!\s(?:this|the|a|my|all)\s{_PROCESS})
        |\b(?:should|deserves?\sto|must|needs?\sto|ought\sto)\s(?:all\s)?(?:be\s(?:shot|killed|hanged|hung
        |exterminated|beaten|executed|burn\w*|gassed|wiped)|die|burn|hang)\b|\bmurder(?:ed|ing|s)?\b|\bbehead\w*
        |\bmassacre\w*|\bslaughter\w*|\bstab(?:bed|bing|s)?\b|\btortur\w+|\bexecut(?:e|ed|ion)\b|\bshoot\s(?:up|him
        |her|them|you)\b|\bshot\s(?:him|her|them|dead|in\sthe\shead)\b|\bbomb(?:ed|ing|s)?\b
        |\bterroris\w+|\bgenocide|\bexterminat\w+|\bdeath\sto\b|\b(?:watch|i\sknow\swhere\syou)\s?(?:your\sback
        |live)\b|\bbeat(?:ing)?\s(?:the\s)?(?:{_YOU}|shit|up)\b|\bstrangl\w+|\bblood(?:y
        |shed)?\b.{{0,40}}\b(?:knife|throat|corpse|body|head)|\bthroat\b|\b(?:you(?:'re|\sare)|ur)\sdead\b
        |\bwipe\s(?:them|out)\b|\braped?\b|\bdismember\w*|\bcorpse|\bdead\sbod(?:y|ies)\b|我要杀|杀了你
        |\bich\s(?:bringe?\sdich\sum|töte\sdich)\b|\bje\svais\ste\stuer\b|\bte\svoy\sa\smatar\b"""
    ),
    "hate": _concept(
        "hate hateful racism racist discrimination bigotry xenophobia antisemitism homophobia identity",
        rf"""
        \b(?:i\s)?(?:hate|despise|detest|loathe)\s(?:all\s|the\s|those\s|these\s|every\s)*{_PEOPLE}\b|\b(?:all
        |those|these|the|every|most)\s{_PEOPLE}\s(?:are|is|should|must|deserve|need)\b|\b{_PEOPLE}\s(?:are
        |is)\s(?:\w+\s){{0,2}}(?:inferior|vermin|animals?|rats?|disease|scum|trash|subhuman|evil|stupid|criminals?
        |parasites?|filth|disgusting|dirty|ruining|the\sproblem|less|savages|retard\w*|thieves)
        |\b(?:fuck|stupid|dirty|filthy|damn|bloody|lazy)\s(?:\w+\s)?{_PEOPLE}\b|\b(?:master\srace|white\s(?:power
        |supremac\w+|genocide)|heil|hitler|nazis?|holocaust|ethnic\scleansing|sub-?human|go\sback\sto\s(?:your\s(?:own\s)?
        country|where\s(?:you|they))|n[i1]gg\w+|f[a4]gg?[o0]ts?|k[i1]kes?|sp[i1]cs?|ch[i1]nks?|tr[a4]nn(?:y|ies)|retards?)\b
        |\bdeport\s(?:them\s)?all\b|\binferior\s(?:race|people|beings)"""
    ),
    "self_harm": _concept(
        "selfharm suicide suicidal self-harm self_harm selfinjury harm",
        r"""\bsuicid\w+|\bkill(?:ing)?\s(?:my|your)sel(?:f|ves)\b|\bend(?:ing)?\s(?:my|it|their)\s?(?:life|all)\b|\b(?:cut|cutting|hurt|hurting|harm|harming|starv\w+|burn\w*)\s(?:my|your|her|him)sel(?:f|ves)\b|\bwant\sto\sdie\b|\bwish\si\s(?:was|were)\sdead\b|\bself[-\s]?harm\w*|\bno\sreason\sto\slive\b|\bbetter\soff\sdead\b|\b(?:anorexi\w+|bulimi\w+|thinspo|pro-?ana|purging)\b|\boverdos\w+|\bhang(?:ed|ing)?\smyself\b|\bslit\b.{0,15}\bwrists?|自杀|自残"""
    ),
    "dangerous": _concept(
        "dangerous weapon weapons drug drugs illegal illicit crime criminal bomb explosives hacking malware regulated",
        r"""\b(?:build|make|making|construct|assemble)\s(?:a\s|an\s)?(?:\w+\s)?(?:bomb|explosives?|grenade|gun|weapon|silencer|molotov)s?\b|\b(?:sell|selling|buy|cook|deal\w*)\s(?:\w+\s)?(?:cocaine|heroin|meth\w*|drugs|weed|fentanyl|lsd|mdma|guns?|ak-?47)\b|\bcocaine\b|\bheroin\b|\bmethamphetamine|\bransomware\b|\bhack\sinto\b|\bsteal\s(?:a|your|credit|someone)|\bcredit\scard\snumbers\b|\bpoison(?:ing|ed)?\b.{0,20}\b(?:him|her|them|someone|water)|\bpipe\sbomb\b|\bnerve\sagent\b"""
    ),
    "sexual": _concept(
        "sexual sex nsfw porn pornographic adult nudity explicit erotic lewd obscene",
        r"""\b(?:sex(?:ual(?:ly)?|y|ting)?|porn\w*|nud(?:e|es|ity)|naked|erotic\w*|orgasm\w*|horny|masturbat\w+|blow\s?jobs?|handjobs?|penis(?:es)?|vagina\w*|clit\w*|cocks?|dicks?|puss(?:y|ies)|cunts?|boobs?|tits?|titties|nipples?|breasts?|butt\s?plugs?|dildos?|vibrator|anal|cum(?:ming|s|shot)?|ejaculat\w+|erection|erect|thrust\w*|moan\w*|slut\w*|whores?|milf|bdsm|fetish\w*|kink\w*|aroused?|arousal|undress\w*|strip(?:ped|per|ping)|panties|lingerie|virgin|threesome|escort|hentai|foreplay|seduc\w+|genital\w*|crotch|groin|lust\w*|naughty|make\slove|fuck(?:ed|ing)?\s(?:me|her|him|my|hard\w*)|suck\w*\s(?:my|his|her)|lick\w*\s(?:my|his|her)|rape\w*|incest\w*)\b|色情|裸照"""
    ),
    "profanity": _concept(
        "profanity profane vulgar swearing obscenity rude inappropriate obscene",
        r"""\b(?:fuck\w*|shit\w*|bitch\w*|assholes?|arse\w*|bastards?|damn(?:ed|it)?|crap|piss\w*|motherfuck\w*|wank\w*|bollocks|bullshit|douche\w*|prick|twat|wtf|stfu|cunts?|dickheads?|scheiß\w*|merde|mierda|puta|cazzo)\b|他妈|傻逼"""
    ),
    "harassment": _concept(
        "harassment harass bullying insult insulting abusive abuse toxic offensive rude personal attack derogatory",
        r"""
        \b(?:you(?:'re|\sare)?|u(?:\sr|r)?|your|she(?:'s|\sis)?|he(?:'s|\sis)?|they(?:'re|\sare)?)\s(?:(?:all|both
        |just|such|so|really|a|an|the|are|fucking|bunch|of|pathetic|stupid|absolute|complete|total|dumb|ugly
        |fat)\s){0,4}(?:idiots?|morons?|stupid|losers?|pathetic|ugly|fat|worthless|dumb\w*|imbeciles?|trash|garbage
        |disgusting|scum|clowns?|disgrace|embarrassment|failure|pigs?|useless|cowards?|liars?|jerks?|brainless
        |ignorant|creep|freak|a\sjoke|waste)\b
        |\bshut\s(?:the\s\w+\s)?up\b|\bnobody\s(?:likes|loves|wants)\syou\b|\bgo\s(?:to\shell|die|kill\syourself)\b
        |\bkys\b|\bget\slost\b|\bidiots?\b|\bmorons?\b|\bloser\b|\bscrew\syou\b|\bf+\s?(?:off|you)\b
        |\b(?:stupid|ugly|fat|dumb)\s(?:old\s)?(?:hag|cow|pig|goat|git|fool)\b|\btu\ses\s(?:un|une)\s(?:imb[eé]cile|idiote?|crétine?)
        |\bdu\sbist\s(?:ein\s)?(?:doof|dumm|idiot)|\bblödmann\b"""
    ),
    "positive": _concept(
        "positive happy good praise satisfied joy love favorable favourable",
        r"""\b(?:love[sd]?|loving|great|excellent|amazing|awesome|wonderful|fantastic|perfect(?:ly)?|best|happy|delighted|glad|pleased|enjoy\w*|recommend\w*|beautiful|brilliant|superb|helpful|friendly|nice|good|thank\w*|impress\w+|delicious|outstanding|satisf(?:ied|ying)|fast|reliable|worth|toll|super|prima|genial|bon|excelente|很好|喜欢|不错)\b"""
    ),
    "negative": _concept(
        "negative unhappy bad complaint dissatisfied angry sad critical unfavorable unfavourable frustrated",
        r"""\b(?:hate[sd]?|terrible|awful|horrible|worst|worse|bad(?:ly)?|poor(?:ly)?|disappoint\w*|broken|broke|useless|waste[sd]?|angry|annoy\w*|frustrat\w*|sad|unhappy|refund|slow|rude|dirty|never\s(?:again|buy|come)|not\s(?:good|work\w*|happy|worth|recommend)|doesn't\swork|didn't\swork|don't\s(?:like|recommend|buy)|crash\w*|fail\w*|problem\w*|disgusting|overpriced|unacceptable|sucks?|boring|schlecht|furchtbar|mauvais|malo|差|糟糕)\b"""
    ),
    "urgent": _concept(
        "urgent high critical emergency asap priority immediate severe blocker",
        r"""\b(?:urgent\w*|asap|immediately|emergency|right\s(?:now|away)|critical|outage|down|blocked|blocker|deadline|cannot\swait|can't\swait|as\ssoon\sas|at\sonce|today|production|data\sloss|security|breach|dringend|sofort|紧急)\b"""
    ),
    "question": _concept(
        "question inquiry enquiry ask how-to support",
        r"\?|？|\b(?:how|what|why|when|where|who|which|can\si|could\syou|is\sit)\b",
    ),
    "bug": _concept(
        "bug defect error incident technical issue crash",
        r"\b(?:bugs?|errors?|crash\w*|exception|traceback|fail\w*|broken|does\s?n[o']t\swork|regression|freez\w+|stuck"
        r"|500|404)\b",
    ),
    "feature": _concept(
        "feature request enhancement suggestion idea improvement",
        r"\b(?:feature|would\sbe\s(?:nice|great)|please\sadd|could\syou\sadd|suggest\w*|wish|support\sfor"
        r"|it\swould\shelp|improve\w*|option\sto)\b",
    ),
    "billing": _concept(
        "billing payment invoice refund finance account charge",
        r"\b(?:invoice|bill(?:ed|ing)?|charg(?:e|ed|es)|refund\w*|payment|paid|price|subscription"
        r"|credit\scard|receipt)\b",
    ),
}  # fmt: skip
UMBRELLAS: dict[str, tuple[str, ...]] = {
    stem("harmful"): ("violence", "hate", "self_harm", "dangerous"),
    stem("harm"): ("violence", "hate", "self_harm", "dangerous"),
    stem("dangerous"): ("violence", "dangerous"),
    stem("inappropriate"): ("sexual", "profanity", "harassment"),
    stem("adult"): ("sexual",),
    stem("toxic"): ("hate", "harassment", "profanity", "violence"),
    stem("offensive"): ("hate", "harassment", "profanity", "sexual"),
    stem("abusive"): ("hate", "harassment", "violence"),
    stem("unsafe"): ("violence", "hate", "self_harm", "dangerous", "sexual", "profanity", "harassment", "spam"),
    stem("flagged"): ("violence", "hate", "self_harm", "dangerous", "sexual", "profanity", "harassment", "spam"),
    stem("complaint"): ("negative",),
}
"""The concepts that a general word includes, by the stem of the word."""
SERIOUS_CONCEPTS = ("self_harm", "violence", "hate", "dangerous")
"""Serious concepts, which are chosen before milder ones if a text indicates both."""
