"""Recognizes what a message about research runs wants, by a table of common phrases in a few languages."""

from __future__ import annotations

import re
from typing import Literal

ResearchIntent = Literal[
    "yes", "no", "later", "drop_it", "start_over", "not_start", "cost", "time", "list", "delete", "cancel", "again",
    "further", "settings", "order", "status", "show", "made_of_report", "part_of_report", "about_report", "change",
    "only_change", "question", "thanks", "forget_all", "anyway", "keep", "begin", "confirms_forgetting", "ends", "send",
]  # fmt: skip
"""What a message may ask for or say. Several may match one message; the caller decides which one counts."""

JOB_ID = re.compile(r"\bjob_\w+", re.IGNORECASE)
"""The id of a run in a message."""
MAX_MESSAGE_CHARS = 1_500
"""Maximum characters of a message that are read."""
MAX_REPLY_WORDS, MAX_REPLY_CLAUSES = 12, 5
"""Maximum number of words and of clauses of a message that says only yes, no or later."""
_COMMANDS: tuple[ResearchIntent, ...] = ("delete", "again", "status", "list", "ends", "cost")
"""Intents that count also if only the first clause of a message has them, and the others explain it."""

_STUDY_NOUNS = {
    "en": r"(?:(?!summary|version|table|slides?|list|overview|chart)\w+ ){0,4}"
    r"(?:report|study|research|analysis|dive|investigation|review|paper)\b",
    "de": r"(?:\w+ ){0,4}\w*(?:bericht|studie|recherche|analyse|untersuchung)\b",
    "fr": r"(?:\w+ ){0,3}(?:rapport|étude|recherche|analyse|enquête)\b",
    "es": r"(?:\w+ ){0,3}(?:informe|estudio|investigación|análisis)\b",
    "it": r"(?:\w+ ){0,3}(?:rapporto|relazione|ricerca|studio|analisi|indagine)\b",
    "pt": r"(?:\w+ ){0,3}(?:relatório|pesquisa|estudo|análise)\b",
}
"""What `<study>` stands for in the tables below, by language: nouns for a study to order, with their adjectives."""
_RUN_NOUNS = {
    "en": r"(?:(?:the|this|that|my|your|our|a|an|another|one|all|both) )*(?:\w+ )?"
    r"(?:research(?:es)?|runs?|stud(?:y|ies)|reports?|investigations?|jobs?)",
    "de": r"(?:(?:die|das|der|den|meine?n?|diese[rns]?|eine?n?|alle) )*(?:\w+ )?"
    r"\w*(?:recherchen?|forschung(?:en)?|bericht[es]?|studien?|auftr[aä]ge?)",
    "fr": r"(?:(?:la|le|les|ma|mon|mes|cette|ce|une?|toutes|tous) )*(?:\w+ )?(?:recherches?|rapports?|études?)",
    "es": r"(?:(?:la|el|las|los|mi|mis|esta|este|una?|todas|todos) )*(?:\w+ )?"
    r"(?:investigaci(?:ón|ones)|informes?|estudios?)",
    "it": r"(?:(?:la|le|il|i|lo|gli|mia|mie|mio|miei|questa|questo|una?|tutte|tutti) )*(?:\w+ )?"
    r"(?:ricerc(?:a|he)|rapport[oi]|relazion[ei]|stud(?:io|i))",
    "pt": r"(?:(?:a|as|o|os|minhas?|meus?|esta|este|uma?|todas|todos) )*(?:\w+ )?(?:pesquisas?|relatórios?|estudos?)",
    "zh": r"(?:研究|报告)",
}
"""What `<run>` stands for in the tables below, by language: nouns for a run or its report, with their articles."""
_PLACEHOLDERS = {"<it>": "(?:it|this|that|they|anything|<run>)", "<a>": "(?:an?|another|one more)"}

_SEARCH_PHRASES: dict[ResearchIntent, str] = {
    "start_over": r"""
    en: \b(?:start|begin)(?:ing)? (?:all )?over\b|\bfrom scratch\b
    de: \bvon vorne? (?:an|beginnen)|\bfange .{0,20}von vorne?\b
    fr: \bje (?:vais )?recommence\w*|\brepartir de zéro\b
    es: \b(?:empezar|empezaré|comenzar) (?:de nuevo|de cero)\b
    """,
    "not_start": r"""
    en: \b(?:don't|do not|never) (?:start|begin|launch|order)(?: (?:any|<it>))* ?(?:yet|now)?\b
    en: \b(?:don't|do not) (?:run|research|do) (?:<it>|any\w*)|\b(?:don't|do not) (?:want|need) (?:any )?<run>
    en: \bnot (?:right )?now$|\bnot (?:yet|today|tonight|this \w+)$|\blater$
    de: \bstarte? (?:noch |jetzt )*(?:nichts?|keine?)\b|\bnicht (?:starten|anfangen)$|\bfange? (?:noch )?nicht an
    de: \b(?:jetzt|noch) nicht$|\bnicht (?:heute|jetzt)$|\bheute (?:noch )?nicht$|\bspäter$
    de: \bkeine recherche\b|\b(?:will|möchte|brauche) keine?n? <run>
    fr: \bne (?:\w+ )?(?:commence|lance|démarre)\w* (?:pas|rien|aucune)|\bpas (?:maintenant|encore|aujourd'hui)$
    fr: \bplus tard$
    es: \bno (?:\w+ )?(?:empieces|inicies|comiences|lances)\b|\b(?:todavía|ahora|aún|hoy) no$|\bmás (?:tarde|adelante)$
    it: \bnon (?:\w+ )?(?:iniziare|avviare|cominciare)\b|\bnon (?:ora|adesso|ancora|oggi)$|\bpiù tardi$
    pt: \bnão (?:\w+ )?(?:comeces?|inicies?|lances?)\b|\b(?:agora|ainda|hoje) não$|\bmais tarde$
    """,
    "cost": r"""
    en: \bhow (?:much|expensive)(?: (?:does|do|will|would|is|are))?(?: (?:<it>|<a>(?: one)?))?(?: (?:costs?|be))?$
    en: ^what (?:do|would|will) you (?:charge|want|ask) for\b
    en: ^how (?:much|expensive) (?:does|do|will|would|is|are) (?:\w+ ){1,4}(?:research|report|study|run|dive)\b
    en: ^(?:how much|what) (?:did|have) (?:i|we) (?:pay|paid|spen[dt])\b|^do (?:i|we) (?:have to|need to|must) pay\b
    en: \bcheaper$
    en: \bwhat(?:'s)?(?: (?:does|do|will|would|is))?(?: (?:it|this|that|<run>))? (?:the )?(?:costs?|price)$
    de: \b(?:was|wie ?viel) (?:würde|wird|kostet|kosten)(?: (?:das|es|sie|mich|denn|<run>))*(?: kosten)?$|\bwie teuer\b
    fr: \bcombien (?:ça|cela|est ce que|coûte\w*|va)\b|\bquel (?:est|serait) le (?:prix|coût)|\bc'est combien\b
    es: \bcuánto (?:me )?(?:cuesta|costaría|costará|vale|sale)|\b(?:qué|cuál es el) (?:precio|costo|coste)\b
    it: \bquanto (?:mi )?(?:costa|costerebbe|costerà|viene)\b|\b(?:che|qual è il) (?:prezzo|costo)\b
    pt: \bquanto (?:me )?(?:custa|custaria|custará|fica)\b|\bqual é o (?:preço|custo)\b
    zh: 多少钱|费用
    """,
    "time": r"""
    en: \bhow long (?:does|do|will|would)?(?: (?:it|this|that|<run>))?(?: (?:take|last|need|run))?$
    en: \bwhen (?:will|is) (?:it|this|that|<run>)(?: be)? (?:ready|done|finished)$
    de: \bwie lange?\b.{0,40}\b(?:dauer\w*|brauch\w*|noch)\b|\bwann ist (?:es|sie|er|das|<run>) fertig
    fr: \bcombien de temps\b
    es: \bcuánto (?:tiempo|tarda|tardará|dura|demora)
    it: \bquanto (?:tempo|dura|durerà|ci vuole)\b
    pt: \bquanto (?:tempo|demora|dura)\b
    """,
    "list": r"""
    en: ^list(?: (?:all|me|of|everything|them|mine))*(?: <run>)?$
    en: ^show(?: me)?(?: all)? (?:my |the )?(?:researches|runs|jobs)$
    en: ^(?:what|which) (?:researches|research runs|runs|jobs|reports) (?:do|have) i\b
    de: ^(?:liste|zeige?)(?: (?:mir|auf))*(?: (?:alle|meine)(?: meine)? (?:recherchen|berichte))?(?: auf)?$
    de: ^welche (?:recherchen|berichte) habe\b
    fr: ^(?:liste|montre|affiche)[rz]?(?: moi)?(?: (?:toutes|tous))? (?:les|mes) (?:recherches|rapports)$
    es: ^(?:lista|muestra|muéstrame|enumera)(?: (?:todas|todos))? (?:mis|las|los) (?:investigaciones|informes)$
    zh: ^列出
    it: ^(?:elenca|mostra(?:mi)?)(?: (?:tutte|tutti))? (?:(?:le|i) )?(?:mie|miei) (?:ricerche|rapporti)$
    pt: ^(?:lista|mostra)(?: (?:todas|todos))? (?:as |os )?(?:minhas|meus) (?:pesquisas|relatórios)$
    """,
    "delete": r"""
    en: ^(?:delete|erase|remove|wipe|forget)(?: <run>(?: (?:on|about|from|in) .{1,60})?)?$
    en: ^(?:delete|erase) (?:it|this|that)$|^(?:delete|erase|remove) the (?:(?:\w+ ){1,4}one|one (?:on|about) .{1,60})$
    de: ^(?:lösche?|vergiss|entferne?)(?: <run>.{0,60})?$|^<run> löschen$
    fr: ^(?:supprime|efface|oublie)[rz]?(?: <run>.{0,60})?$
    es: ^(?:borra|elimina|olvida)r?(?: <run>.{0,60})?$
    it: ^(?:cancella|elimina|dimentica)(?: <run>.{0,60})?$
    pt: ^(?:apaga|elimina|esquece)r?(?: <run>.{0,60})?$
    """,
    "again": r"""
    en: ^(?:start|run|do|try|research|order)(?: <it>)?(?: (?:again|anew|once more|over))+$
    en: ^(?:start|run|do|order|write|make|research)(?: me)? (?:the|that) same(?: \w+)?(?: again| once more)*$
    en: ^(?:repeat|redo|re ?run|re ?start|retry)(?: .{1,50})?$
    de: ^wiederhol|^starte?\b.{0,40}\b(?:noch ?mal|neu|erneut)$|^(?:<run> )?(?:noch ?mal|neu) (?:starten|machen)$
    fr: ^(?:répète|relance|refais|recommence)[rz]?\b
    es: ^(?:repite|repetir|vuelve a)\b|^(?:hazl[oa]|iníciala|empieza) (?:otra vez|de nuevo)$
    it: ^(?:ripeti|rifai|rilancia|riavvia)\b
    pt: ^(?:repete|repetir|refaz)\b
    """,
    "further": r"""
    en: \b(?:dig|go|look|drill)(?: \w+){0,2} deeper\b|\b(?:research|investigate|explore)\b.{0,40}\bfurther\b
    en: \b(?:build|building|based|expand)(?: \w+)? (?:on|upon)(?: (?:it|this|that|<run>)\b|$)|^build on\b
    en: ^(?:extend|expand|continue|deepen) <run> (?:with|on|by|to)\b
    en: ^(?:research|investigate|explore|carry|continue) on from (?:there|here|that|<run>)\b
    de: \btiefer (?:graben|gehen|einsteigen|in)\b|^(?:geh|grabe?|steige?)\b.{0,20} tiefer\b|\bvertief|\baufbauend auf\b
    de: \bauf (?:der )?(?:basis|grundlage) (?:von|des|dieses|dieser|<run>)|^(?:forsche?|recherchiere?) weiter\b
    fr: \bapprofondi(?:s|r|ssez)\b|^creuse|\bplus loin\b|\ben (?:te |vous )?basant sur\b|\bà partir d(?:e ce|u) rapport
    es: \bprofundi(?:za|zar|ce)\b|^investiga más\b|\bbasándote en\b|\ba partir d(?:el|e este) informe\b
    it: \bapprofondi(?:sci|re)\b
    pt: \baprofundar?\b
    """,
    "settings": r"""
    en: \b(?:a|the|your) plan\b|\bplan first\b|\bdeep research max\b|\buse max\b
    de: \b(?:einen|den) plan\b
    fr: \b(?:un|le) plan\b
    es: \b(?:un|el) plan\b
    """,
    "order": r"""
    en: ^new research\b|^(?:research|investigate|explore|study|deep dive|look into|analy[sz]e|examine) .
    en: ^(?:write|prepare|create|make|do|conduct|start|run|give|i want|i need|i'd like)(?: me)? <a> <study>
    en: ^(?:write|prepare|create|make)(?: me)? (?:\w+ ){0,2}(?:reports|studies|analyses)\b
    de: ^neue recherche\b|^(?:recherchiere?|untersuche?|erforsche?|analysiere?)\b
    de: ^(?:schreibe?|erstelle|mache?|starte?|ich (?:brauche|möchte|will))(?: mir)? eine?n? <study>
    fr: ^nouvelle recherche\b|^(?:étudie|analyse|recherche|enquête)[rz]?\b
    fr: ^(?:écris|rédige[rz]?|fais|faites|prépare[rz]?|lance[rz]?|je (?:veux|voudrais))(?: moi)? une? <study>
    es: ^nueva investigación\b|^(?:investiga|estudia|analiza)r?\b
    es: ^(?:escribe|redacta|haz|prepara|inicia|quiero|necesito) una? <study>
    zh: ^(?:深入)?(?:研究|调研|调查)|^写一
    it: ^nuova ricerca\b|^(?:scrivi|prepara|redigi|fai|fammi|voglio|vorrei) un[ao']? <study>
    pt: ^nova pesquisa\b|^(?:escreve|prepara|faz|quero|preciso de) uma? <study>
    """,
    "status": r"""
    en: ^(?:what(?:'s| is) )?(?:the |my )?(?:status|progress|state)(?: (?:of|on|for) .{1,60})?$
    en: ^how(?:'s|s| is| are| far)(?: along| is| are)*(?: (?:<it>|things))?(?: (?:going|coming|doing|along))*$
    en: ^(?:is|are) <it>(?: (?:on|about) .{1,60})? (?:done|ready|finished|over|still running|running)(?: yet| now)?$
    en: ^(?:done|ready|finished)(?: yet)?$|^(?:continue|resume|watch|wait|status)(?: (?:for )?<it>)?$
    en: ^where (?:are we|is it)$|\bany (?:news|updates?|progress)\b|^what(?:'s| is) <it> doing\b|\bso far$
    de: ^wie weit\b|^(?:der )?(?:stand|status)\b|^wie (?:läuft|steht|geht)(?: (?:das|es|sie|um|mit|voran|<run>))*$
    de: ^(?:ist|sind) .{0,40}\bfertig$|^(?:schon )?fertig$|^gibt es (?:neues|neuigkeiten)|^status\b
    fr: ^où en (?:est|es|sommes|êtes)\b|^(?:l'état|l'avancement|état|statut)\b|^ça avance$|^comment (?:ça )?avance\b
    fr: ^(?:est ce que )?(?:c'est|elle est|il est|<run> est) (?:déjà )?(?:prête?|finie?|terminée?)$
    es: ^cómo (?:va|anda|está)\b|^(?:el )?(?:estado|progreso)\b|^(?:ya )?(?:está|ha)\b.{0,30} (?:list[oa]|terminad[oa])$
    it: ^a che punto\b|^come va\b|^(?:<run> )?è (?:già )?(?:pront[oa]|finit[oa])$
    pt: ^como (?:está|vai|anda)\b|^(?:<run> )?(?:já )?está (?:pront[oa]|acabad[oa])$
    zh: 进度|进展|状态$
    """,
    "show": r"""
    en: ^(?:show|open|give|see|read|get|view|where(?:'s| is))(?: me)?(?: <it>)?(?: (?:on|about) .{1,60})?(?: again)?$
    en: ^(?:my|the) (?:\w+ )?(?:research|report|results?)(?: (?:on|about) .{1,40})?(?: again| once more)?$
    de: ^(?:zeige?|öffne|gib)(?: mir)?(?: (?:ihn|es|<run>))?(?: noch ?mal)?$|^<run>(?: bitte)? noch ?mal$
    fr: ^(?:montre|affiche|ouvre|donne)[rz]?(?: moi)?(?: <run>)?(?: encore| à nouveau)?$
    es: ^(?:muestra|muéstrame|enséñame|abre|dame)(?: <run>)?(?: otra vez| de nuevo)?$
    it: ^(?:mostra(?:mi)?|apri|dammi)(?: di nuovo)?(?: <run>)?(?: di nuovo| ancora)?$
    pt: ^(?:mostra|abre|dá)(?: me)?(?: <run>)?(?: outra vez| de novo)?$
    """,
    "made_of_report": r"""
    en: \b(?:summar\w+|slides?|tables?|translat\w+|version|shorten|shorter|bullet|presentation|explain|rephrase)\b
    en: \bin (?:german|english|french|spanish|chinese)$
    de: \bzusammenfass|\bfasse?\b.*\bzusammen\b|\b(?:folien?|tabelle|\w*version|kürzer)\b|\bübersetz|\berkläre?\b
    de: \bauf (?:deutsch|englisch|französisch|spanisch)$
    fr: \brésum|\btradui|\bexplique|\b(?:diapositives?|tableau|version|plus court)\b
    es: \bresum|\btraduc|\bexplica|\b(?:diapositivas?|tabla|versión|más cort[oa])\b
    it: \briassum|\btraduci|\bspiega|\b(?:diapositive|tabella|versione|più breve)\b
    pt: \bresum|\btraduz|\bexplica|\b(?:diapositivos|tabela|versão|mais curt[oa])\b
    """,
    "part_of_report": r"""
    en: \b(?:sources?|sections?|chapters?|findings|conclusions?|key points)\b
    de: \b(?:quellen?|abschnitte?|kapitel|ergebnisse)\b
    fr: \b(?:sources?|chapitres?|sections?|conclusions?)\b
    es: \b(?:fuentes?|capítulos?|secci(?:ón|ones)|conclusiones)\b
    it: \b(?:font[ei]|capitol[oi]|sezion[ei]|conclusioni)\b
    pt: \b(?:fontes?|capítulos?|secç(?:ão|ões)|conclusões)\b
    """,
    "about_report": r"""
    en: \b(?:the|this|that|your|my|its)(?: \w+)? (?:report|research|study|findings?|results?|run|plan)\b
    de: \b(?:de[rmns]|die|diese[rmns]?|meine?[rmns]?)(?: \w+)? \w*(?:berichts?|recherche|studie|ergebnissen?|plan)\b
    fr: \b(?:le|la|les|ce|cette|mon|ma|du|des)(?: \w+)? (?:rapport|recherche|étude|résultats?|plan)\b
    es: \b(?:el|la|las|los|este|esta|mi|del)(?: \w+)? (?:informe|investigación|estudio|resultados?|plan)\b
    it: \b(?:il|la|questo|questa|mio|mia|del|della)(?: \w+)? (?:rapporto|ricerca|studio|risultati)\b
    pt: \b(?:o|a|este|esta|meu|minha|do|da)(?: \w+)? (?:relatório|pesquisa|estudo|resultados)\b
    """,
    "only_change": r"""
    en: ^(?:but|also|add|include|cover|leave|drop|skip|remove|exclude|omit|focus|concentrate|limit|restrict|only)\b
    en: ^(?:without|no need|more|less|shorter|longer|replace|change|make (?:it|the)|use|instead|about .{1,60} instead)\b
    en: ^for (?!you|me|now|how|what)(?:\w+ ){0,3}\w+$|^in (?:\d+|english|german|french|spanish|plain|simple)\b
    de: ^(?:aber|auch|nur|ohne|statt|lasse?|nimm|füge|ergänze?|streiche?|ändere?|mehr|weniger|kürzer|beschränke)\b
    fr: ^(?:mais|aussi|ajoute[rz]?|sans|seulement|plutôt|enlève|supprime|retire|remplace|change|plus|moins)\b
    es: ^(?:pero|también|añade|agrega|sin|solo|sólo|quita|elimina|incluye|cambia|reemplaza|más|menos)\b
    it: ^(?:ma|anche|aggiungi|senza|solo|soltanto|togli|includi|cambia|più|meno)\b
    pt: ^(?:mas|também|acrescenta|adiciona|sem|só|apenas|tira|inclui|muda|mais|menos)\b
    """,
    "change": r"""
    en: \b(?:also|add|include|leave .{0,60}\bout|without|only|instead|rather|focus|as well|shorter|longer|at most)\b
    en: \b(?:don't|do not) (?:cover|include)\b| too$|(?<!tell me )\bmore about\b|\bless about\b
    de: \b(?:auch|nur|ohne|stattdessen|lieber|füge|ergänze|streiche|weglassen|zusätzlich|außerdem|höchstens)\b
    fr: \b(?:aussi|ajoute|sans|seulement|uniquement|plutôt|également)\b
    es: \b(?:también|añade|agrega|sin|solo|sólo|solamente|además|en vez)\b
    it: \b(?:anche|aggiungi|senza|solo|soltanto|inoltre|invece)\b
    pt: \b(?:também|acrescenta|adiciona|sem|só|apenas)\b
    """,
    "question": r"""
    en: ^(?:what|which|who|whose|when|where|why|how|is|are|was|were|does|did|has|have|could|will|would|should)\b
    de: ^(?:was|welche[rsnm]?|wer|wann|wo|warum|wie|ist|sind|gibt|hat|wird)\b
    fr: ^(?:que|qu'|quel(?:le)?s?|qui|quand|où|pourquoi|comment|combien|est ce)\b
    es: ^(?:qué|cuál(?:es)?|quién|cuándo|dónde|por qué|cómo|cuánt[oa]s?|es|son|hay)\b
    it: ^(?:che|quali?|chi|quando|dove|perché|quant[oaie])\b
    pt: ^(?:que|qua(?:l|is)|quem|quando|onde|como|quanto)\b
    """,
    "thanks": r"""
    en: ^(?:(?:many|so|great|perfect|ok) )?(?:thanks|thank you|thx|cheers)\b|^(?:hi|hello|hey|great|cool|nice)$
    de: ^(?:vielen |besten )?(?:dank|danke)\b
    fr: ^merci\b
    es: ^(?:muchas )?gracias\b
    it: ^(?:molte |mille )?grazie\b
    pt: ^(?:muito )?obrigad[oa]\b
    """,
    "forget_all": r"""
    en: ^(?:forget|delete|erase|wipe|clear)(?: (?:all|of|everything|in|this|our|the|whole))* (?:conversation|chat)\b
    en: ^(?:forget|delete|erase|wipe) (?:everything|all|what)(?: that)? (?:we|i)(?: \w+){0,2} (?:said|told|wrote|talk)
    en: ^(?:forget|delete|erase|wipe) (?:everything|all|what)(?: that)? (?:we|i)(?: \w+){0,2} (?:discuss|spoke|chat)
    en: ^(?:forget|delete|erase|wipe) everything(?: here| so far)?$
    de: ^(?:vergiss|lösche?)(?: \w+){0,2} (?:gespräch|unterhaltung|chat|konversation)\b|^(?:vergiss|lösche?) alles\b
    fr: ^(?:oublie|efface|supprime)[rz]?(?: \w+){0,2} (?:conversation|discussion)\b|^(?:oublie|efface)[rz]? tout\b
    es: ^(?:olvida|borra|elimina)r?(?: \w+){0,2} (?:conversación|charla)\b|^(?:olvida|borra) todo\b
    it: ^(?:dimentica|cancella|elimina)(?: \w+){0,2} (?:conversazione|chat)\b
    pt: ^(?:esquece|apaga)r?(?: \w+){0,2} conversa\b
    """,
    "anyway": r"""
    en: \banyway$|\bregardless$
    de: \btrotzdem\b
    fr: \bquand même\b
    es: \bde todos modos\b
    """,
    "begin": r"""
    en: \b(?:start|begin|launch|run|proceed|continue|go)\b
    de: \b(?:starte?|beginne?|lege? los|los|weiter)\b
    fr: \b(?:lance[rz]?|commence[rz]?|démarre[rz]?|vas y|allez y)\b
    es: \b(?:empieza|comienza|inicia|adelante|procede)\b
    it: \b(?:avvia|inizia|procedi|vai)\w*
    pt: \b(?:começa|avança|inicia)\b
    zh: 开始
    """,
    "confirms_forgetting": r"""
    en: ^yes (?:please )?(?:forget|delete|erase|wipe) (?:it|that|this|everything|all|(?:\w+ ){0,2}conversation)$
    en: ^(?:delete|erase|wipe) (?:it|everything)$
    de: ^ja (?:bitte )?(?:vergiss|lösche?) (?:es|das|alles|(?:\w+ ){0,2}gespräch)$|^lösche? (?:es|alles)$
    fr: ^oui (?:oublie|efface|supprime)[rz]? (?:tout|la|ça|(?:\w+ ){0,2}conversation)$|^(?:efface|supprime)[rz]? tout$
    es: ^sí (?:olvída|bórra|elimína)l[oa]$|^sí (?:olvida|borra) (?:todo|(?:\w+ ){0,2}conversación)$|^bórral[oa]$
    """,
    "ends": r"""
    en: ^(?:cancel|stop|abort|terminate|delete|erase|remove|drop)\b
    de: ^(?:storniere|stoppe?|lösche?|entferne?)\b
    fr: ^(?:annule|arrête|supprime|efface)[rz]?\b
    es: ^(?:cancela|borra|elimina)r?\b
    """,
    "send": r"""
    en: ^(?:e ?mail|mail|send|print|post|publish|upload|share)\b
    de: ^(?:maile?|schicke?|sende|drucke?)\b
    fr: ^(?:envoie|imprime)[rz]?\b
    es: ^(?:envía|imprime)\w*
    """,
    "keep": r"""
    en: \bkeep\b|\b(?:don't|do not|never) (?:delete|remove|erase)\b
    de: \bbehalte?\b|\bnicht löschen\b|\blösche? (?:\w+ )?nicht\b
    fr: \bgarde[rz]?\b|\bne (?:\w+ )?(?:supprime|efface)[rz]? pas\b
    es: \b(?:guarda|conserva|mantén|quédate)\w*\b|\bno (?:\w+ )?borres\b
    it: \b(?:tieni|conserva)\w*\b|\bnon (?:cancellar|eliminar)\w*
    pt: \b(?:mantém|guarda|conserva)\b|\bnão (?:\w+ )?apagues\b
    """,
}
"""Patterns that are searched in the result of `normalized_message`, by intent. A language has one or more lines."""

_FULL_PHRASES: dict[ResearchIntent, str] = {
    "yes": r"""
    en: yes|yep|yup|yeah|sure|ok|okay|k|alright|all right|fine|perfect|absolutely|definitely|of course|agreed|approved?
    en: i approve|i agree|confirm(?:ed)?|proceed|go(?: ahead| for it| on)?|do (?:it|that|so)|run it|make it so|begin
    en: do|go right ahead|i'm in|count me in
    en: start(?: it| now| the research| the run)?|(?:that |it |all )?(?:sounds?|looks?) (?:good|great|fine|right|ok)
    en: let's (?:go|start|do (?:it|this|that))
    de: ja|jawohl|klar|perfekt|gerne?|einverstanden|in ordnung|passt|mache? (?:das|es)|machen wir|genau so|nur zu
    de: lege? los|los(?: geht'?s)?|starte?(?: (?:es|sie|die recherche))?|(?:das )?(?:sieht|klingt) gut(?: aus)?
    fr: oui|d'accord|vas y|allez y|parfait|bien sûr|c'est (?:bon|parfait|d'accord)|ça (?:me )?(?:va|convient)
    fr: lance[rz]?(?: la)?|commence[rz]?|on y va|volontiers
    es: sí|si|vale|claro(?: que sí)?|adelante|de acuerdo|perfecto|hazlo|dale|empieza|comienza|procede
    es: me parece bien|está bien|por supuesto|suena bien
    it: sì|certo|va bene|procedi|vai|d'accordo|perfetto|fallo|avvia(?:la|lo)?|inizia|volentieri
    zh: 好的?|可以|开始吧?|是的?|同意
    pt: sim|claro(?: que sim)?|está bem|de acordo|avança|perfeito|pode (?:começar|avançar)|começa|vamos lá
    """,
    "no": r"""
    en: no|nope|nah|(?:don't|do not)(?: (?:start|do|run|delete|proceed|begin|go ahead|order))?(?: (?:it|that|this))?
    en: better not|(?:i'd )?rather not|i (?:don't|do not) (?:like|want|need) (?:it|that|this|(?:the|this|that) \w+)
    en: (?:drop|skip|leave|keep|stop|cancel|forget)(?: about)? (?:it|that)|stop|cancel|i changed my mind|never ?mind
    en: (?:that's |it's )?too (?:expensive|much)
    de: nein|nee|nö|(?:lieber|besser|doch|bloß) nicht|nicht starten|starte? (?:es |sie )?nicht|lass (?:es|das)(?: sein)?
    de: abbrechen|brich (?:es|das) ab|stopp?|vergiss es|(?:das ist )?(?:mir )?zu teuer|behalte? (?:ihn|es|sie)
    fr: non|surtout pas|pas la peine|laisse tomber|annule[rz]?(?: la)?|arrête|(?:c'est )?trop cher|oublie(?: ça)?
    fr: ne (?:la |le )?(?:lance|commence|supprime)[rz]? pas|garde le
    es: no|mejor no|déjalo|olvídalo|cancela(?:la|lo|r)?|(?:es )?(?:muy|demasiado) caro
    es: no (?:la |lo )?(?:empieces|inicies|hagas|borres)
    it: no|lascia (?:perdere|stare)|meglio di no|annulla(?:la|lo)?|(?:è )?troppo caro
    zh: 不要?|不用了?|算了
    pt: não|melhor não|deixa (?:lá|estar)|cancela|(?:é )?(?:muito|demasiado) caro
    """,
    "cancel": r"""
    en: (?:cancel|stop|abort|end|terminate|kill)(?: (?:<it>|everything|now|right now|at once|immediately|working))*
    en: (?:cancel|stop|abort|end|terminate|kill) (?:<run>|the one) (?:on|about) .{1,60}
    en: (?:cancel|stop|abort|end|terminate|kill) the (?:\w+ ){0,4}one
    de: (?:brich|stoppe?|beende)(?: (?:es|das|sie|ihn|alles|<run>))?(?: sofort)?(?: ab)?|abbruch|abbrechen|stoppen
    de: (?:brich|stoppe?|beende) <run> (?:über|zu) .{1,60}|(?:es|das|sie|ihn|alles|<run>) (?:abbrechen|stoppen|beenden)
    fr: (?:annule|arrête|stoppe)[rz]?(?: (?:tout|la|le|ça|<run>))?(?: sur .{1,60})?
    es: (?:canc[eé]la|cancelar|p[aá]ra|parar|det[eé]n|detener)(?:l[oa]s?)?(?: (?:todo|<run>)(?: sobre .{1,60})?)?
    it: (?:annulla|ferma|interrompi)(?:l[oa])?(?: (?:tutto|<run>))?
    pt: (?:cancela|interrompe|para)r?(?: (?:tudo|<run>))?
    zh: (?:取消|停止)(?:<run>)?
    """,
    "later": r"""
    en: not (?:right )?now|not (?:yet|today)|(?:maybe )?later|wait|hold on
    de: noch nicht|jetzt nicht|(?:vielleicht )?später|warte
    fr: pas maintenant|pas encore|plus tard|attends
    es: ahora no|todavía no|más tarde|espera
    it: non (?:ora|adesso|ancora)|più tardi|aspetta
    pt: agora não|ainda não|mais tarde|espera
    """,
    "drop_it": r"""
    en: (?:just )?(?:forget|drop|leave) (?:it|that|this|about it|about that)|never ?mind
    de: vergiss (?:es|das)|lass (?:es|das)(?: gut)?(?: sein)?|schon gut
    fr: oublie(?: ça)?|laisse tomber|peu importe
    es: olvídalo|déjalo|da igual
    it: lascia (?:perdere|stare)|non importa
    pt: deixa (?:lá|estar)|esquece(?: isso)?|não importa
    """,
}
"""Patterns that the whole result of `normalized_message` must match, apart from `_FILLERS`, by intent."""
_FILLERS = (
    "great|good|fine|super|no problem|well|then|now|actually|oh|hmm?|wait|whatever|please|sorry|thanks|thank you"
    "|for now|after all|with it|with the plan|it|all|bitte|danke|jetzt|na|ach|gut|dann|so|mal|doch|alles|merci|bien"
    "|maintenant|alors|plutôt|finalement|por favor|gracias"
    "|per favore|grazie|allora|obrigad[oa]|então"
)
_POLITE = re.compile(
    r"^(?:(?:please|pls|ok|okay|so|now|then|and|well|hi|hello|hey|can you|could you|would you|will you|i want you to"
    r"|i'd like you to|i would like you to|i want to|i'd like to|just|bitte|und|also|kannst du|könntest du|dann|jetzt"
    r"|s'il te plaît|peux tu|pouvez vous|pourrais tu|et|alors|por favor|puedes|podrías|y|entonces|ahora(?! no\b)"
    r"|good morning|good afternoon|good evening|thanks|thank you|thx|i'm back|btw|hmm"
    r"|per favore|puoi|allora|podes|então|请)\s+)+|(?:\s+(?:please|pls|thanks|thank you|for me|bitte|danke"
    r"|s'il te plaît|s'il vous plaît|merci|por favor|gracias|per favore|grazie|obrigad[oa]))+$"
)

_CLAUSE_END = re.compile(r"[.,;:!?…]+(?:\s|$)|\n|\s[–—-]+\s")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?:(?:and|but|und|aber)\s)?")
_THUMBS = ((re.compile("[👍👌✅]"), " yes "), (re.compile("[👎❌]"), " no "))
_YES = re.compile(r"\W*(?:yes|ja|oui|sí|si|sì|sim)\b", re.IGNORECASE)
_REQUEST = re.compile(
    r"(?i)\W*(?:(?:yes|ok|okay|ja|oui|sí)\W+)?(?:can|could|would|will) you\b|\W*(?:kannst|könntest|würdest) du\b"
    r"|\W*(?:peux|pourrais)[ -]tu\b|\W*(?:puedes|podrías)\b"
)
_AGREEMENT = re.compile(
    r"(?i)^(?:(?:yes|no|nope|hmm|oh|well|actually|ok|okay|sure|great|good|fine|perfect"
    r"|(?:that |it )?(?:looks|sounds) (?:good|great|fine)(?: to me)?|nein|non"
    r"|ja|gut|(?:sieht|klingt) gut(?: aus)?|oui|d'accord|bien|sí|vale|está bien|please|bitte)[\s,.;!–-]+)*"
    r"(?:(?:but|aber|mais|pero)[\s,]+)?(?:(?:please|bitte|por favor|can you|could you)\s+)*"
)


def research_intents(message: str) -> frozenset[ResearchIntent]:
    """All intents that the words of a message match."""
    text = normalized_message(message)
    found: set[ResearchIntent] = {intent for intent, pattern in _SEARCH_PATTERNS.items() if pattern.search(text)}
    if len(text.split()) <= MAX_REPLY_WORDS:
        found |= _replies(text)
    if 1 < len(clauses := _clauses(message)) <= MAX_REPLY_CLAUSES and all(each := [_replies(one) for one in clauses]):
        found |= frozenset[ResearchIntent]().union(*each)
    if "order" not in found and (command := _clauses(without_agreement(message))[:1]):
        found |= _replies(command[0]) & {"cancel"}
        found |= {intent for intent in _COMMANDS if _SEARCH_PATTERNS[intent].search(command[0])}
    if "?" in message or "？" in message:
        found.add("question")
    return frozenset(found)


def _clauses(message: str) -> list[str]:
    """The clauses of a message, normalized, without those that have only polite words."""
    return [text for one in _CLAUSE_END.split(message[:MAX_MESSAGE_CHARS]) if (text := normalized_message(one))]


def _replies(text: str) -> frozenset[ResearchIntent]:
    """The intents whose phrases make up the whole text: a yes, a no, thanks, a command to cancel."""
    found: set[ResearchIntent] = {intent for intent, pattern in _FULL_PATTERNS.items() if pattern.fullmatch(text)}
    return frozenset(found | ({"thanks"} if _SEARCH_PATTERNS["thanks"].fullmatch(text) else set()))


def is_request(message: str) -> bool:
    """Whether a question is a polite request: `Could you start it?`"""
    return bool(_REQUEST.match(message))


def begins_with_yes(message: str) -> bool:
    """Whether the first word of a message is yes."""
    return bool(_YES.match(message))


def without_agreement(message: str) -> str:
    """A message without agreement at its start: `Looks good, but leave out X` -> `leave out X`."""
    return _AGREEMENT.sub("", JOB_ID.sub("", message).strip(), count=1).strip()


def requested_change(message: str) -> str:
    """The sentences of a message that have the form of a change, and what explains them; "" if none has."""
    kept: list[str] = []
    for sentence in _SENTENCE_END.split(JOB_ID.sub("", message).strip()):
        text = without_agreement(sentence)
        intents = research_intents(text)
        explains = kept and not intents & {"question", "yes", "no", "cost", "time", "thanks"}
        if "only_change" in intents or ("change" in intents and "question" not in intents) or explains:
            kept.append(text)
    return " ".join(kept)


def normalized_message(message: str) -> str:
    """A message in lower case without ids, punctuation and polite words."""
    text = JOB_ID.sub(" ", message[:MAX_MESSAGE_CHARS]).casefold().replace("’", "'")
    for thumb, meaning in _THUMBS:
        text = thumb.sub(meaning, text)
    text = re.sub(r"\b(do|does|did)nt\b", r"\1n't", re.sub(r"[^\w\s']|_", " ", text))
    text = re.sub(r"\b(what|that|how|where|let)s\b", r"\1's", re.sub(r"\bim\b", "i'm", text))
    return _POLITE.sub("", " ".join(text.split())).strip()


def _expanded_lines(table: str) -> list[str]:
    found = []
    for line in table.strip().splitlines():
        language, _, pattern = line.strip().partition(": ")
        for name, meaning in (
            *_PLACEHOLDERS.items(),
            ("<run>", _RUN_NOUNS[language]),
            ("<study>", _STUDY_NOUNS.get(language, "")),
        ):
            pattern = pattern.replace(name, meaning)
        found.append(pattern)
    return found


_SEARCH_PATTERNS = {intent: re.compile("|".join(_expanded_lines(table))) for intent, table in _SEARCH_PHRASES.items()}
_FULL_PATTERNS = {
    intent: re.compile(rf"(?:(?:{_FILLERS})\s)*(?:{phrases})(?:\s(?:{phrases}|{_FILLERS}))*")
    for intent, phrases in ((intent, "|".join(_expanded_lines(table))) for intent, table in _FULL_PHRASES.items())
}
