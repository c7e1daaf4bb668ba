"""Sentences by which a user hands an open task to a text: "do what Ana's mail says", in six languages.

A delegation is a verb of carrying out and what it refers to: what a text or person asks for (`what` … `said`),
somebody's instructions (`task`), a text that is to be followed (`text`), or a pronoun (`again`) for one of these
in the same sentence or the one before. Words are compared without case and accents; quoted titles are no words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gatling.text import words
from gatling.tools.vocabulary import word_set

_ACCENTS = str.maketrans("àáâãäåçèéêëìíîïñòóôõöùúûüýßœæ\u2019\u00a0", "aaaaaaceeeeiiiinooooouuuuysoa' ")
QUOTED = re.compile(
    r"(?<!\w)'[^\n]{1,200}?'(?!\w)|\"[^\"\n]{1,200}\"|`[^`\n]{1,200}`|«[^»\n]{1,200}»|»[^«\n]{1,200}«"
    "|[\u201c\u201e][^\u201c\u201d\n]{1,200}[\u201c\u201d]|\u2018[^\n]{1,200}?\u2019(?!\\w)"
)
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?](?!\s|$))+[.!?]*")
_CONDITION = re.compile(
    r"\W*(?:if|when|once|after|wenn|falls|nachdem|si|cuando|quand|lorsque|se|quando|apos)\b"
)

_FILLERS = word_set(
    "the a an of to for with it is that this as what goes there in on and part only please "
    "der die das den dem mit um es geht zu von und bitte el la los las de del a lo que en y por favor "
    "le les des du de ce qui est je et il lo gli della di e o os as da do no na me se"
)


def _fold(text: str) -> str:
    return text.replace("\u0130", "I").lower().translate(_ACCENTS)


def _words(text: str) -> str:
    """Alternatives of a regular expression: fields divided by blanks, `_` for a blank inside one."""
    return "(?:" + "|".join(text.translate(_ACCENTS).split()).replace("_", r"\s+") + ")"


@dataclass(frozen=True, slots=True)
class _Language:
    """What one language says it with; each field is a list of patterns as `_words` reads it."""

    do: str
    """Verbs of carrying out what is asked."""
    follow: str
    """Those of them, and others, that take a text for their object."""
    what: str
    said: str
    """Verbs of asking, saying, writing and needing."""
    task: str
    text: str
    look: str
    """Verbs of reading, and words for "there is"."""
    vague: str
    """Words for things that are left open."""
    again: str
    """A verb of carrying out with a pronoun; `DO` stands for `do`."""
    conjunction: str
    only: str
    nothing: str
    """How "and nothing else" is said."""
    part: str
    """Words that refer back to what was handed over, and so tell a limit from the next job."""


_EN = _Language(
    do="(?<!we\\s)(?<!they\\s)do(?!_(?:you|we|they|i|not|the_\\w+_\\w+\\?)\\b) follow handle carry_out execute perform complete finish resolve solve "
    "address fulfil+ see_to attend_to take_care_of look_after deal_with act_(?:up)?on comply_with process settle "
    "implement work_through work_off run_through tick_off honou?r obey heed sort_out tackle satisfy meet "
    "adhere_to stick_to abide_by achieve accommodate act_according_to put_into_practi[cs]e act "
    "take(?=_(?:the|these|those|all)_(?:\\w+_)?(?:steps|actions|measures))",
    follow="follow carry_out see_to attend_to take_care_of deal_with act_(?:up)?on comply_with implement obey "
    "heed honou?r work_(?:through|off) adhere_to stick_to abide_by go_by act_according_to execute apply",
    what="what(?:ever)? everything anything all as (?:the|any)_things? the_way",
    said="ask(?:s|ed|ing)? want(?:s|ed)? wish(?:es|ed)? needs? needed says? said tells? told request(?:s|ed) "
    "require[sd]? demand(?:s|ed)? writes? wrote written suggest(?:s|ed)? recommend(?:s|ed)? propose[sd]? "
    "describe[sd]? lists? listed mention(?:s|ed)? expect(?:s|ed)? state[sd]? notes? noted necessary be_done "
    "(?:should|must|to)_happen would_like calls?_for instruct(?:s|ed)? advise[sd]? indicate[sd]? specif\\w+ "
    "outline[sd]? left leaves? puts? posted sent attached added gave mailed texted pinned explain(?:s|ed)? contains? "
    "commented accept(?:s|ed)? agree[sd]?",
    task="instructions? requests? tasks? wish(?:es)? to(?:-|_)?dos? steps action_items? directions "
    "(?:open|outstanding)_(?:points|items|issues|questions|ends) points demands? advice suggestions? "
    "recommendations? guidelines? requirements? needs favou?rs? checklist errands chores proposals? "
    "(?:everything|all|anything)_(?:that_is_)?(?:in|on|there) (?:read|open)_(?:it|them)",
    text="notes? remarks? comments? messages? e?-?mails? letters? memos? descriptions? readme reviews? reports? "
    "pages? posts? notices? brief(?:ing)? files? documents? docs? texts? voicemails? sms replies reply "
    "statements? lists? minutes agenda orders? manual guides? (?:run|play)books? procedure protocol commented \\S+_step_by_step",
    look="reads? see look check opens? go find search consult there_(?:is|are) has have received got",
    vague="something things? what(?:ever)? stuff a_few",
    again="DO_(?:it|them|this|that|these|those|all|so|everything)\\b(?!_\\w+_that) "
    "(?:carry|work|sort)_(?:it|them|this|that|these|those|all)_(?:all_)?(?:out|off|through) "
    "(?:get|have)_(?:it|them|this|that|all|everything)_(?:all_)?done see_(?:to_it_)?that_(?:it|they)_\\w+ "
    "put_(?:it|them)_into_practi[cs]e accordingly make_(?:it|that)_happen",
    conjunction="and then or but",
    only="only solely just alone exclusively",
    nothing="nothing_(?:else|more|beyond|further|but|except) no(?:thing)?_more no_further "
    "leave_(?:the_rest|everything_else) (?:apart|aside)_from_(?:that|this)_nothing not_the_rest",
    part="i_mean meant part as_far_as concerns? regarding about",
)

_DE = _Language(
    do="erledigen? befolgen? führ(?:en?)?(?=.*\\s(?:aus|durch)\\b) tun? tue mach(?:en?)? bearbeiten? kümmer[en]? "
    "(?:um|ab|aus|durch|nach)(?:zu)?(?:setzen|arbeiten|führen|kommen|gehen) setz(?:en?)?(?=.*\\sum\\b) "
    "arbeiten?(?=.*\\s(?:ab|durch)\\b) erfüllen? halten?_(?:dich|sie_sich) folgen? handeln? handle behandeln? behandle "
    "(?:komm|geh)(?:en?)?(?=.*\\s(?:nach|durch)\\b) sorgen? übernimm richten?_(?:dich|sie_sich) "
    "übernehmen klär(?:en?|t) regle regeln lösen? entsprich entsprechen beachten? verfahren? vollzieh(?:en)?",
    follow="befolgen? führ(?:en?)?(?=.*\\s(?:aus|durch)\\b) kümmer[en]? (?:um|ab|aus|durch|nach)(?:zu)?(?:setzen|arbeiten|"
    "führen|kommen|gehen) setz(?:en?)?(?=.*\\sum\\b) arbeiten?(?=.*\\s(?:ab|durch)\\b) erfüllen? folgen? "
    "halten?_(?:dich|sie_sich) handeln? handle (?:komm|geh)(?:en?)?(?=.*\\s(?:nach|durch)\\b) richten?_(?:dich|sie_sich) entsprich entsprechen beachten? verfahren?",
    what="(?:was|worum|wozu|wie|alles|wonach)",
    said="bitte[tn] bat gebeten möchte\\w* will wollen wünsch\\w+ gewünscht verlang\\w+ steht stehen "
    "schreib\\w* geschrieben schrieb\\w* sag\\w+ gesagt vorschl\\w+ vorgeschlagen schlägt empfiehl\\w* "
    "empfohlen forder\\w+ gefordert nötig notwendig zu_tun brauch\\w+ gebraucht notiert\\w* festgehalten "
    "hinterlassen hinterließ\\w* erwart\\w+ an(?:weist|gewiesen|gibt|gegeben) vorgibt vorgegeben beschr\\w+ "
    "nenn\\w* genannt äußer\\w* vermerk\\w+ aufgetragen an(?:liegt|steht) zu_erledigen geschehen soll "
    "gelegt geschickt schickt\\w* verfasst aufgeschrieben auf(?:führt|geführt|gelistet) gestellt will "
    "\\w*kommentiert erbeten gibt enthält nehmen akzeptier\\w+",
    task="\\w*anweisung\\w* \\w*aufgaben? \\w*wünsche?n? \\w*wunsch \\w*anliegen \\w*schritten? "
    "\\w*vorschl[aä]ge?n? \\w*empfehlung\\w* ratschl\\w+ rat \\w*aufträgen? vorgaben? anordnung\\w* "
    "\\w*forderung\\w* \\w*anleitung\\w* offenen?_\\w+ to-?_?dos? anfragen? punkten? alles_(?:darin|daraus) lies_(?:es|sie|ihn|das) "
    "(?:die|der|dieser?|seine[rn]?|ihre[rn]?|jeder?|\\w+s)_bitten?",
    text="\\w*(?:notiz|vermerk|hinweis|kommentar|nachricht|mail|brief|beschreibung|readme|beurteilung|bericht|"
    "gutachten|seite|beitrag|beiträge|aushang|text|datei|dokument|schreiben|protokoll|memo|mitteilung|bemerkung|"
    "anmerkung|liste|bewertung|zettel|antwort|rezension|runbook|handbuch|prozedur|checkliste)(?:e[ns]?|s|n|en)? "
    "\\w*kommentiert \\S+_schritt_für_schritt",
    look="lies lesen sieh sehen schau(?:en?)? öffnen? prüfen? suchen? nachsehen gibt_es hat haben steht liegt",
    vague="etwas was dinge einiges paar worum",
    again="(?:erledig|befolg|erfüll|bearbeit|mach|tu|klär|lös|regl|übernimm|übernehm|beacht)(?:en?|t)?"
    "(?:_(?:sie|bitte))*_(?:das|es|sie|ihn|alles|diese?s?|beides) kümmer\\w*(?:_\\S+){0,4}_(?:darum|um_all\\w+) "
    "sorg\\w*(?:_\\S+){0,3}_dafür (?:handl|handel|verfahr|halt)\\w*(?:_\\S+){0,3}_(?:danach|daran|entsprechend) "
    "(?:führ|setz|arbeit)\\w*(?:_\\S+){0,2}_(?:das|es|sie|ihn|alles|diese?)(?:_\\S+){0,3}?_(?:aus|um|ab|durch) "
    "(?:komm|geh)\\w*(?:_\\S+){0,2}_(?:ihm|ihr|ihnen|dem)(?:_\\S+){0,2}?_nach folg\\w*(?:_\\S+)?_(?:ihm|ihr|ihnen) "
    "(?:das|es|sie|ihn|alles|diese?|darum|danach|daran|ihm|ihnen)(?:_\\S+){0,3}?_(?:erledigen|befolgen|erfüllen|"
    "bearbeiten|(?:um|ab|aus|durch|nach)(?:setzen|arbeiten|führen|kommen|gehen)|kümmern|machen|tun|halten|folgen)",
    conjunction="und oder aber dann",
    only="nur allein ausschließlich lediglich einzig bloß",
    nothing="sonst_nichts nichts_(?:anderes|weiter|weiteres|sonst|außer) nicht_mehr mehr_nicht "
    "(?:davon_)?abgesehen_(?:davon_)?nichts",
    part="gemeint ich_meine teil soweit betrifft angeht",
)

_DE_INFINITIVES = (
    "erledigen bearbeiten befolgen beachten erfüllen "
    "(?:um|ab|aus|durch|nach)(?:zu)?(?:setzen|arbeiten|führen|kommen|gehen)"
)

_ES = _Language(
    do="haz haga hagas hacer sigue siga sigas seguir cumpl(?:e|a|as|ir) ocúpa(?:te|rte) ocúpese encárga(?:te|rte) "
    "encárguese atiend[ea] atender complet(?:a|e|ar) resuelv[ea] resolver realiz?c?(?:a|e|ar) ejecut(?:a|e|ar) "
    "(?:lleva|lleve|llevar)_a_cabo actúa actúe actuar gestion(?:a|e|ar) tramit(?:a|e|ar) obedece obedezca "
    "(?:pon|ponga|poner)_en_práctica solucion(?:a|e|ar) acat(?:a|e|ar) respet(?:a|e|ar) termin(?:a|e|ar) "
    "guíate guíese trat(?:a|e|ar) aplic(?:a|ar) aplique (?:da|dé|dar)(?=_los_pasos)",
    follow="guíate guíese aplic(?:a|ar) aplique sigue siga sigas seguir cumpl(?:e|a|as|ir) ocúpa(?:te|rte) ocúpese encárga(?:te|rte) encárguese "
    "atiend[ea] atender (?:lleva|lleve|llevar)_a_cabo actúa actúe actuar obedece obedezca ejecut(?:a|e|ar) "
    "(?:pon|ponga|poner)_en_práctica acat(?:a|e|ar) respet(?:a|e|ar) haz_caso",
    what="lo_que cuanto como todo_lo aquello_que cosas_que",
    said="pid\\w+ ped(?:ir|ía|ido) solicit\\w+ quier\\w+ dic\\w+ dij\\w+ exi[gj]\\w+ necesit\\w+ escrib\\w+ "
    "escrit\\w+ indi(?:ca|có|que)\\w* propon\\w+ prop(?:uso|uesto) recom[ie]+nd\\w+ sug[ie]+r\\w+ dese[aeo]\\w* "
    "orden[aóe]\\w* anot\\w+ apunt\\w+ detall\\w+ describ\\w+ mand[aóe]\\w* requ[ie]+r\\w+ dej[aó]\\w* haga_falta "
    "hay_que pone figura\\w* enumer\\w+ debe\\w* consta encarg[aóu]\\w* expres\\w+ reclam\\w+ esper[ae]\\w* "
    "puso puesto señal\\w+ mencion\\w+ plante\\w+ envi[óa]\\w* adjunt\\w+ explic\\w+ coment\\w+ contien\\w+ acept\\w+",
    task="instrucci\\w+ petici\\w+ tareas? deseos? pasos? pendientes consejos? recomendaci\\w+ indicaci\\w+ "
    "encargos? órdenes propuestas? sugerencias? requisitos? directrices lé[ea]l[oa]s? solicitudes ruegos? exigencias? "
    "puntos_(?:abiertos|pendientes)",
    text="notas? observaci\\w+ comentarios? mensajes? correos? cartas? descripci\\w+ readme evaluaci\\w+ informes? "
    "páginas? avisos? textos? archivos? ficheros? documentos? reseñas? recados? listas? memo publicaci\\w+ "
    "apuntes? actas? respuestas? e-?mails? manual procedimientos? protocolos? guías? comentó comentado "
    "\\S+_paso_a_paso",
    look="lee lea leer mir[ae]r? ve[ar]? abr[ea] abrir busc[ae]r? busque revis[ae]r? repas[ae]r? hay consult[ae]",
    vague="algo cosas lo_que qué varias unos",
    again="(?:haz|haga|hacer|sigue|siga|seguir|cumpla?e?|cumplir|atiend[ae]|atender|complet[ae]r?|resuelv[ae]|resolver|"
    "reali[zc][ae]r?|ejecut[ae]r?|gestion[ae]r?|tramit[ae]r?|solucion[ae]r?|acat[ae]r?|respet[ae]r?|obedece|"
    "termin[ae]r?|trat[ae]r?|aplic[a]r?|aplique)(?:me)?(?:lo|la|los|las|le|les)\\b (?:llev\\w+|pon\\w*)(?:lo|la|los|las)_(?:a_cabo|en_práctica) "
    "(?:ocúpa|encárga)(?:te|rte)(?=\\W*(?:$|[,.;]|tú|por_favor|de_(?:ell|es|tod))) (?:ocúpe|encárgue)se(?=\\W*(?:$|[,.;]|"
    "por_favor|de_(?:ell|es|tod))) (?:en_consecuencia) (?:hágalo|hazle_caso) haz_(?:eso|esto|todo)",
    conjunction="y o e pero luego",
    only="sol(?:o|amente) únicamente exclusivamente nada_más_que",
    nothing="nada_más (?:y_)?nada_(?:de_lo_demás|aparte|salvo|excepto) lo_demás_no",
    part="me_refiero parte (?:en_)?lo_que_(?:toca|respecta|concierne) refiere",
)

_FR = _Language(
    do="fai(?:s|re|tes) (?<!je\\s)suis suivez suivre exécute[rz]? traite[rz]? (?:occupe-toi|occupez-vous|[tsm]'occuper|vous_occuper) effectue[rz]? "
    "accompli(?:s|r|ssez) réalise[rz]? agi(?:s|r|ssez) règle[rz]? réglez (?:mets|mettez|mettre)_en_\\w*uvre "
    "applique[rz]? respecte[rz]? exauce[rz]? (?:donne[rz]?|donne-y)_suite veille[rz]? conforme[rz]?(?:-\\w+)? "
    "résou(?:s|dre) résolvez termine[rz]? charge(?:-toi|z-vous|r) obéi(?:s|r|ssez) satisfai(?:s|re|tes) "
    "gère[rz]? gérer (?:mets|mettez|mettre)_en_pratique tiens-toi réponds procède[rz]? plie-toi",
    follow="(?<!je\\s)suis suivez suivre exécute[rz]? (?:occupe-toi|occupez-vous|[tsm]'occuper|vous_occuper) agi(?:s|r|ssez) applique[rz]? "
    "respecte[rz]? (?:donne[rz]?|donne-y)_suite conforme[rz]?(?:-\\w+)? obéi(?:s|r|ssez) tiens-toi "
    "(?:mets|mettez|mettre)_en_(?:\\w*uvre|pratique) charge(?:-toi|z-vous|r) tiens_compte",
    what="(?:(?:à|de|tout)_)?ce_qu[ei']?\\S* ce_dont comme ainsi_que ce_à_quoi",
    said="\\S*(?:demand\\w+|réclam\\w+|exig\\w+|écri\\w*|indiqu\\w+|énumèr\\w+|exprim\\w+|attend\\w*) veu(?:t|lent) "
    "voudrait souhait\\w+ di(?:t|sent|re) propos\\w+ recommand\\w+ sugg[èé]r\\w+ conseill\\w+ not[eé]\\w* "
    "laiss\\w+ faut besoin figure décri\\w+ mentionn\\w+ prescri\\w+ requi\\w+ prévoi\\w+ précis\\w+ nécessaire "
    "mis[e]? posé\\w* envoy\\w+ joint\\w* affich\\w+ désir\\w+ voulai\\w+ list\\w+ impos\\w+ doit devrai\\w+ contien\\w+ commenté accept\\w+",
    task="consignes? \\S*instructions? demandes? tâches? souhaits? \\S*étapes? points?_(?:ouverts?|en_suspens) "
    "conseils? recommandations? directives? propositions? suggestions? \\S*exigences? v\\w*ux \\S*indications? "
    "prescriptions? li(?:s|sez)-l(?:e|a|es)",
    text="notes? remarques? commentaires? messages? mails? courriels? e-?mails? lettres? descriptions? readme "
    "\\S*évaluations? rapports? pages? (?:l')?avis textes? fichiers? documents? mot listes? mémo publications? "
    "comptes?_rendus? réponses? \\S*annonces? procédures? manuels? guides? protocoles? runbook commenté \\S+_pas_à_pas",
    look="li(?:s|re|sez) regarde[rz]? voi(?:s|r) voyez ouvr(?:e|ez|ir) cherche[rz]? consulte[rz]? parcour\\w+ "
    "vérifie[rz]? il_y_a porte trouve[rz]?",
    vague="quelque_chose choses ce_qu\\S* quelques plusieurs",
    again="fai(?:s|tes)-(?:le|la|les)\\b(?!_\\w+(?:er|ir|re)\\b) (?:suis|suivez|exécutez?|traitez?|effectuez?|accomplis|accomplissez|réalisez?|règlez?|réglez|"
    "appliquez?|respectez?|exaucez?|résous|résolvez|terminez?|gèrez?|gérez)-(?:le|la|les) "
    "(?:occupe-t'en|occupez-vous-en|charge-t'en|chargez-vous-en|t'en_occuper|vous_en_occuper|donne[sz]?-y_suite|"
    "veille[sz]?-y|obéis-lui|conforme-t'y|tiens-t'y|plie-t'y) en_conséquence "
    "met(?:s|tez)-(?:le|la|les)_en_(?:\\w*uvre|pratique) "
    "(?:le|la|les|tout)_(?:faire|suivre|exécuter|traiter|effectuer|accomplir|réaliser|régler|appliquer|respecter) "
    "\\w+-(?:le|la|les)_en_(?:\\w*uvre|pratique) fai(?:s|tes)_(?:cela|ça|tout\\b(?!_ce))",
    conjunction="et ou puis mais",
    only="seulement uniquement exclusivement rien_que seul\\w*",
    nothing="rien_(?:d'autre|de_plus|d'autres) et_c'est_tout pas_le_reste",
    part="je_parle partie pour_ce_qui_est en_ce_qui_concerne concerne je_veux_dire",
)

_IT = _Language(
    do="fai faccia fare segu(?:i|a|ire) esegu(?:i|a|ire) occup(?:ati|arti|arsi) si_occupi gesti(?:sci|sca|re) "
    "sbrig(?:a|hi|are) compi compia svolg(?:i|a|ere) complet(?:a|i|are) (?:metti|metta|mettere)_in_(?:pratica|atto) "
    "attu(?:a|i|are) risolv(?:i|a|ere) (?:porta|porti|portare)_(?:a_termine|avanti) agi(?:sci|sca|re) "
    "rispett(?:a|i|are) provved(?:i|a|ere) sistem(?:a|i|are) esaudi(?:sci|sca|re) soddisf\\w+ "
    "d(?:a'?|à|ai|are)_seguito adempi attieniti evad(?:i|a|ere) applic(?:a|hi|are) ottempera realizz(?:a|i|are) "
    "cura pensa procedi obbedisci asseconda tratt(?:a|i|are)",
    follow="segu(?:i|a|ire) esegu(?:i|a|ire) occup(?:ati|arti|arsi) si_occupi agi(?:sci|sca|re) attieniti "
    "(?:metti|metta|mettere)_in_(?:pratica|atto) rispett(?:a|i|are) d(?:a'?|à|ai|are)_seguito applic(?:a|hi|are) "
    "ottempera obbedisci asseconda tieni_conto attu(?:a|i|are)",
    what="que(?:llo|l|lla)_che ciò_che quanto come tutto_(?:quello|ciò|quanto)? (?:le_)?cose_che",
    said="chied\\w+ chiest\\w+ vuol\\w* vogl\\w+ vorrebbe\\w* desider\\w+ dic\\w+ dett[oaie] esig\\w+ scri[vt]\\w+ "
    "scrisse indic\\w+ propon\\w+ propost\\w+ consigli\\w+ raccomand\\w+ sugger\\w+ annot\\w+ lascia\\w+ "
    "richied\\w+ richiest\\w+ pretend\\w+ serve occorre bisogn\\w+ necess\\w+ va_fatto vanno_fatt\\w dev\\w+ "
    "elenc\\w+ esprim\\w+ espress\\w+ descri\\w+ ordin[aò]\\w* riport\\w+ prevede domand\\w+ mess[oaie] "
    "mandat\\w inviat\\w d[àa]_d\\w+ allegat\\w pubblic\\w+ c'è recensito dovrebb\\w+ contien\\w+ commentato accett\\w+",
    task="\\S*istruzion[ei] richiest[ae] compit[io] desider[io] pass[io] passaggi punti_(?:aperti|in_sospeso) "
    "consigli\\w? leggil[oaie] raccomandazion\\w \\S*indicazion\\w incombenz\\w propost[ae] suggeriment\\w direttiv\\w "
    "disposizion\\w",
    text="not[ae] osservazion\\w comment[io] messaggi\\w* e?-?mail letter[ae] descrizion\\w readme valutazion\\w "
    "relazion\\w perizi\\w pagin[ae] \\S*avvis[io] test[io] file document[io] recension\\w bigliett\\w list[ae] "
    "promemoria post verbal\\w rispost[ae] \\S*appunt[io] \\S*annunci\\w* \\S*annotazion\\w manual[ei] procedur[ae] protocoll[io] guid[ae] "
    "runbook commentato \\S+_passo_(?:per|dopo)_passo",
    look="legg(?:i|a|ere) guard(?:a|i|are) ved(?:i|a|ere) apr(?:i|a|ire) cerc(?:a|hi|are) controll(?:a|i|are) "
    "scorr(?:i|a|ere) consult\\w+ c'è ci_sono trova",
    vague="qualcosa cose cosa quello_che alcuni alcune",
    again="(?:fa|l?far|seguir?|eseguir?|gestisci|gestir|sbrigh?a?r?|svolgi|svolger|completar?|risolvi|risolver|"
    "attuar?|rispettar?|sistemar?|esaudiscir?|soddisfar?|applicar?|evadi|mettil?|porta|compi|realizza|"
    "asseconda|tratta)l?(?:lo|la|li|le|ne)\\b occupa(?:te|rte)ne se_ne_occupi da(?:lle|gli|llo)?_seguito dia_seguito "
    "mettil[oaie]_in_(?:pratica|atto) "
    "provvedi(?=\\W*(?:$|[,.;]|per_favore|tu)) provveda(?=\\W*(?:$|[,.;]|per_)) di_conseguenza pensaci_tu "
    "attieniti_a_\\w+ fai_(?:tutto|questo|ciò)\\b(?!_\\w+_che)",
    conjunction="e ed o ma poi",
    only="solo soltanto solamente unicamente esclusivamente",
    nothing="nient'altro niente_(?:altro|di_più) null'altro nulla_(?:più|di_più) il_resto_no",
    part="intendo parte per_quanto_riguarda riguarda mi_riferisco",
)

_PT = _Language(
    do="faça faz fazer sig[ao] seguir cumpr(?:a|e|ir) execut(?:e|a|ar) cuid(?:e|a|ar) trat(?:e|a|ar) resolv(?:a|e|er) "
    "realiz(?:e|a|ar) atend(?:a|e|er) complet(?:e|a|ar) conclu(?:a|i|ir) aja agir "
    "(?:ponha|põe|pôr|coloque|colocar)_em_prática providenci(?:e|a|ar) ocup(?:e-se|a-te|ar-se) "
    "encarregu?(?:e-se|a-te|ar-se) proceda obedeça respeit(?:e|a|ar) dê_(?:seguimento|andamento|sequência) "
    "satisfaça (?:leve|leva|levar)_a_cabo acat(?:e|a|ar) apliqu?(?:e|ca|car) segue "
    "guie-se (?:dê|dar)(?=_os_passos)",
    follow="sig[ao] segue seguir cumpr(?:a|e|ir) execut(?:e|a|ar) cuid(?:e|ar)_d\\w+ aja agir atend(?:a|e|er) "
    "(?:ponha|põe|pôr|coloque|colocar)_em_prática obedeça respeit(?:e|a|ar) dê_(?:seguimento|andamento|sequência) "
    "acat(?:e|a|ar) ocupe-se encarregue-se guie-se apliqu?(?:e|car) trat(?:e|ar)_d\\w+",
    what="(?:d|n|a)?o_que tudo(?:_o)?_que aquilo_que como o_quanto (?:as_)?coisas_que",
    said="ped\\w+(?:-n?os)? quer\\w* desej[ao]\\w* diz\\w* disse\\w* exig\\w+ escrev\\w+(?:-me)? escrit\\w+ indic\\w+ "
    "prop(?:õe|ôs|or|ost|un)\\w* recomend\\w+ suger\\w+ anot\\w+ deix\\w+ requer\\w* precis\\w+ necess\\w+ "
    "mand[aeo]\\w* solicit\\w+ consta descrev\\w+ descrit\\w+ enumer\\w+ manifest\\w+ esper[ae]\\w* dev[ea]\\w* "
    "pretend\\w+ orden\\w+ aconselh\\w+ reclam\\w+ determin\\w+ coloc\\w+ pôs posto juntou envi\\w+ há diz-se "
    "avaliou public\\w+ list\\w+ coment(?:ou|ado) contém aceit\\w+",
    task="instruç\\w+ pedidos?_(?:n[oa]s?|em|que|del[ea]s?)\\b tarefas? desejos? passos? etapas? "
    "pontos_(?:em_aberto|pendentes|abertos) pendências? conselhos? recomendaç\\w+ orientaç\\w+ propostas? "
    "sugest\\w+ diretrizes indicaç\\w+ exigências? solicitaç\\w+ vontades? leia(?:-[oa]s?)?_e",
    text="notas? observaç\\w+ comentários? mensage(?:m|ns) e-?mails? cartas? descriç\\w+ readme avaliaç\\w+ "
    "relatórios? páginas? avisos? textos? arquivos? ficheiros? documentos? recados? listas? memo publicaç\\w+ "
    "posta?g?e?m?s? atas? respostas? bilhetes? anúncios? manua(?:l|is) procedimentos? protocolos? guias? runbook comentou comentado "
    "\\S+_passo_a_passo",
    look="lei?a ler vej?a ver olh[ae]r? abr[ae] abrir procur[ae]r? busque consult[ae]r? verifi\\w+ há confira tem",
    vague="algo coisas o_que alguns algumas alguma",
    again="(?:faç?z?[ae]?|fazê|sig[ao]|segui|cumpr[ae]|cumpri|execut[ea]|executá|resolv[ae]|resolvê|realiz[ea]|realizá|"
    "atend[ae]|atendê|complet[ea]|conclua|respeit[ea]|acat[ea]|trat[ea]|obedeça|aplique|aplica)-(?:l?[oa]s?|lhes?)\\b "
    "(?:faça|faz|fazer|cuid[ea]r?|trat[ea]r?|resolva|ocupe-se)_(?:isso|isto|disso|disto|del[ea]s?|tudo\\b(?!_o?_que)|por_mim|"
    "por_nós) providencie(?=\\W*(?:$|[,.;]|por_favor|isso)) aja_(?:de_acordo|em_conformidade|conforme) "
    "(?:atenda|execute|cumpra|siga|resolva|faça|cuide)(?=\\W*(?:$|por_favor)) leia_e_\\w+(?=\\W*$) "
    "em_conformidade dê-lhes?_(?:seguimento|andamento)",
    conjunction="e ou mas depois",
    only="só somente apenas unicamente exclusivamente",
    nothing="nada_(?:mais|além) mais_nada o_resto_não",
    part="refiro-me me_refiro parte (?:no|o)_que_(?:diz_respeito|toca|respeita) diz_respeito quero_dizer",
)


class _Rules(NamedTuple):
    direct: re.Pattern[str]
    again: re.Pattern[str]
    task: re.Pattern[str]
    text: re.Pattern[str]
    said: re.Pattern[str]
    look: re.Pattern[str]
    vague: re.Pattern[str]
    only: re.Pattern[str]
    nothing: re.Pattern[str]
    part: re.Pattern[str]


def _rules(language: _Language) -> _Rules:
    do, follow, what, said, task, text = map(
        _words, (language.do, language.follow, language.what, language.said, language.task, language.text)
    )
    step = rf"(?:[\s,(]+(?!{_words(language.conjunction)}\s)[^\s;:]+)"
    again = _words(language.again).replace("DO", do)
    direct = (
        rf"\b(?:{do}\b|{again}){step}{{0,8}}?[\s,(]+{what}(?!\w)(?:[\s,(]+[^\s;]+){{0,16}}?[\s,(]+{said}\b"
        rf"|\b{do}\b{step}{{0,4}}?[\s,(]+{task}(?!\w)|\b{follow}\b{step}{{0,4}}?[\s,(]+{text}(?!\w)"
    )
    if language is _DE:  # an infinitive stands behind its object
        direct += rf"|\b(?:{task}|{text})(?!\w){step}{{0,8}}?\s+{_words(_DE_INFINITIVES)}\b"

    def whole(field: str) -> re.Pattern[str]:
        return re.compile(rf"(?<!\w){_words(field)}(?!\w)")

    return _Rules(
        re.compile(direct),
        re.compile(rf"(?<!\w){again}"),
        *(whole(getattr(language, name)) for name in _Rules._fields[2:]),
    )


_LANGUAGES = (_EN, _DE, _ES, _FR, _IT, _PT)
_ALL = [_rules(language) for language in _LANGUAGES]


def _mask(text: str) -> str:
    """The folded text with its quotations blanked out, as long as the text."""
    return _fold(QUOTED.sub(lambda found: "_" * len(found.group()), text))


class Handing(NamedTuple):
    """A sentence that hands over, the one before it, and the words of a limit that the user sets."""

    sentence: str
    before: str
    only: str


def handings(before: str, text: str) -> Iterator[Handing]:
    """Sentences of a text that hand an open task to some text; `before` is what the user said last.

    >>> [h.sentence for h in handings("", "Joe left a note in 'Kick-off'. Carry it out. Then book a room.")]
    ['Carry it out.']
    """
    masked = _mask(text)
    earlier, earlier_masked, handed = before, _mask(before), None
    for found in _SENTENCE.finditer(masked):
        said = text[found.start() : found.end()].strip()
        sentence = found.group().strip()
        if not said:
            continue
        if handed and not handed.only and _limits(sentence):
            handed = handed._replace(only=said)
        else:
            if handed:
                yield handed
            handed = Handing(said, earlier, "") if _hands_over(earlier_masked, sentence) else None
            if handed:
                handed = handed._replace(only=_limit_inside(said, sentence))
        earlier, earlier_masked = said, sentence
    if handed:
        yield handed


def _hands_over(before: str, sentence: str) -> bool:
    for rules in _ALL:
        if rules.direct.search(sentence):
            return True
        for found in rules.again.finditer(sentence):
            if any(_open(rules, part) for part in (sentence[: found.start()], before)):
                return True
    return False


def _open(rules: _Rules, text: str) -> bool:
    """Whether a text mentions something that a pronoun may hand over."""
    if rules.task.search(text):
        return True
    said = rules.said.search(text)
    return bool((said or rules.look.search(text)) and rules.text.search(text)) or bool(
        said and rules.vague.search(text)
    )


def _limits(sentence: str) -> bool:
    """Whether a sentence sets a limit to what was handed over just before: "only the mail, nothing else"."""
    for rules in _ALL:
        only = rules.only.search(sentence)
        if rules.nothing.search(sentence):
            return True
        if only and rules.part.search(sentence) and not _CONDITION.match(sentence[only.end() :]):
            return True
    return False


def _limit_inside(said: str, sentence: str) -> str:
    """The part of a sentence that hands over and limits at once: "..., but only what concerns the mail"."""
    for rules in _ALL:
        for only in rules.only.finditer(sentence):
            rest = sentence[only.end() :]
            if not _CONDITION.match(rest) and (rules.nothing.search(sentence) or rules.part.search(rest)):
                return said[only.end() :]
    return ""


def limit_words(text: str) -> frozenset[str]:
    """What a limit names: the words in its quotation marks, or all but those that make it a limit.

    >>> sorted(limit_words("Only as far as `send mail` goes, nothing else."))
    ['mail', 'send']
    """
    quoted = " ".join(found.group() for found in QUOTED.finditer(text))
    masked = _mask(text)
    if not quoted:
        for rules in _ALL:
            if rules.only.search(masked) or rules.nothing.search(masked):
                for pattern in (rules.nothing, rules.part, rules.only):
                    masked = pattern.sub(lambda found: "_" * len(found.group()), masked)
        text = "".join(a if b != "_" else " " for a, b in zip(text, masked, strict=False))
    return frozenset(w for w in words(quoted or text) if w not in _FILLERS)


def last_sentence(text: str) -> str:
    """The last sentence of a text, quotations left whole."""
    last = ""
    for found in _SENTENCE.finditer(_mask(text)):
        last = text[found.start() : found.end()].strip() or last
    return last


def names_a_kind(word: str) -> bool:
    """True for a word that says what kind of text or task is meant rather than which ("Anweisungen")."""
    folded = _fold(word)
    return any(rules.text.fullmatch(folded) or rules.task.fullmatch(folded) for rules in _ALL)
