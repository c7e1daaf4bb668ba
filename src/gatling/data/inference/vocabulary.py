"""Words by which texts say how much, how long and how private: English, with the commonest of five others.

Of German, Spanish, French, Italian and Portuguese stand here all, many, small numbers, times and secrets.
"""

from __future__ import annotations

from gatling.tools import lexicon as lex
from gatling.tools.lexicon import VERBS
from gatling.tools.vocabulary import word_set

FEW = 3.0

ALL = word_set(
    "all every everything everyone everybody each alle allen aller alles jede jeden jeder jedes sämtliche "
    "sämtlichen todo todos todas tout tous toute toutes chaque tutto tutti tutte ogni tudo cada"
)
LISTS = word_set("complete full entire whole comprehensive")
"""Adjectives that mean all of it before a noun that holds many things."""
HOLDERS = word_set(
    "list history inventory catalog catalogue database folder directory inbox mailbox collection archive "
    "backlog log table team company staff repository repo drive disk dataset library listing feed"
)
MANY = word_set(
    "many multiple several various numerous lots dozens hundreds thousands viele vielen mehrere mehreren "
    "zahlreiche etliche muchos muchas varios varias múltiples plusieurs nombreux nombreuses molti molte "
    "parecchi parecchie muitos muitas vários várias múltiplos múltiplas"
)
SMALL = {"both": 2.0, "couple": 2.0, "pair": 2.0, "few": FEW, "dozen": 12.0, "beide": 2.0, "beiden": 2.0}
UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
NUMBERS = {word: float(n) for n, word in enumerate(UNITS.split())} | {
    word: 10.0 * n
    for n, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}
FOREIGN_NUMBERS = {
    word: float(n)
    for row in (
        "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "dos tres cuatro cinco seis siete ocho nueve diez once doce",
        "deux trois quatre cinq six sept huit neuf dix onze douze",
        "due tre quattro cinque sei sette otto nove dieci undici dodici",
        "dois três quatro cinco seis sete oito nove dez onze doze",
        "duas",
    )
    for n, word in enumerate(row.split(), 2)
} | {"zwanzig": 20.0, "veinte": 20.0, "vingt": 20.0, "venti": 20.0, "vinte": 20.0}
ALSO_ENGLISH = word_set("todo due once sei elf dos six dix sept nove sete tre")
"""Words of other languages that an English text may hold with another meaning."""
SCALES = {"hundred": 100.0, "thousand": 1000.0, "million": 1e6}
FOREIGN = word_set(
    "der die das den dem und meine meinen meiner alle letzten für mit bitte el los las mis por favor "
    "para últimos "
    "últimas le les des mes du pour dernières derniers il gli lo miei mie ultimi ultime os meus minhas "
    "das dos per di todas todos toutes tous tutti tutte del una"
)
"""Words by which a text is taken for one that is not English: two of them do."""
RANKING = word_set(
    "top first last next latest newest oldest past previous recent bottom letzten letzte ersten "
    "últimos últimas "
    "primeros dernières derniers premiers ultimi ultime primi primeiros"
)
NOT_COUNTED = word_set(
    "second seconds sec secs minute minutes min mins hour hours hr hrs day days night nights week "
    "weeks month "
    "months year years quarter quarters decade decades century centuries am pm noon january february march "
    "april may june july august september october november december dollar dollars usd euro euros eur cent "
    "cents buck bucks pound pounds sterling gbp yen rupee rupees rmb yuan franc francs percent percentage "
    "meter meters metre metres m cm mm km kilometer kilometers kilometre kilometres mile miles foot "
    "feet ft "
    "inch inches yard yards gram grams g kg kilogram kilograms lb lbs ounce ounces oz ton tons liter "
    "liters "
    "litre litres l ml gallon gallons mb gb tb kb byte bytes bit bits mph kmh psi bar hz khz mhz ghz volt "
    "volts watt watts amp amps ampere amperes coulomb coulombs newton newtons joule joules calorie "
    "calories "
    "degree degrees celsius fahrenheit kelvin star stars bedroom bedrooms bathroom bathrooms bed beds bath "
    "baths times time digit digits decimal decimals beats beat bpm measures measure unit unitless pixels "
    "px points point inclusive levels level stage grade floor floors square sq cubic heads tosses tails "
    "tag tage tagen woche wochen monat monate monaten jahr jahre jahren stunde stunden minuten uhr "
    "día días "
    "semana semanas mes meses año años hora horas minutos jour jours semaine semaines mois an ans année "
    "années heure heures giorno giorni settimana settimane mese mesi anno anni ora ore minuti dia dias mês "
    "ano anos prozent stück stelle grad"
)
"""After a number: a measure, a date, a price or a duration."""
NUMBERED = word_set(
    "id ids number no nr order ticket task account room step version level chapter page node pod "
    "flight zip "
    "code year line track gate seat phase type class priority port section article rule suite highway "
    "route "
    "unit apartment apt index value rate grade temperature about approximately"
)
"""Before a number: it names or measures one thing."""
DETAIL = word_set(
    "detail details information info specifics particulars specification specifications specs requirement "
    "requirements criteria aspect aspects component components element other others time times day days "
    "night week month year years morning evening weekend hour minute second moment way ways over along "
    "around set sorted good right clear ready done fine about right up of_course best options sudden well "
    "thanks prepared arranged caps correct square cost costs expense expenses chance means accounts "
    "place places step steps word words letters possible attention hope need"
)
"""After "all" or "every": no more things are meant than the one that is asked for."""
PEOPLE = word_set("people men women children persons adults kids mice teeth feet data leute personen gente")
OF = word_set("of my the your our their these those of more other most different new old pending")
STOPPING = word_set(
    "in on at by to from with is are and or for as was if then that which please than per the a an this"
)
DAYS = {
    name: days
    for days, names in (
        (1 / 24, "hour hours stunde stunden hora horas heure heures ora ore"),
        (1.0, "day days tag tage tagen día días jour jours giorno giorni dia dias"),
        (7.0, "week weeks woche wochen semana semanas semaine semaines settimana settimane"),
        (31.0, "month months monat monate monaten mes meses mois mese mesi mês"),
        (92.0, "quarter quarters quartal quartale trimestre trimestres trimestri"),
        (366.0, "year years jahr jahre jahren año años an ans année années anno anni ano anos"),
    )
    for name in names.split()
}
RECENT = word_set(
    "last past previous next coming following recent latest this within over during upcoming "
    "letzte letzten letzter letztes vergangenen nächsten dieser diese dieses últimos últimas último última "
    "pasado pasada próximos próximas este esta dernier dernière derniers dernières prochains "
    "prochaines cette "
    "ce ultimi ultime ultimo ultima scorso scorsa prossimi prossime questo questa passado passada"
)
ALONE = {
    **dict.fromkeys(("today", "daily", "heute", "hoy", "aujourd", "oggi", "hoje", "tonight"), 1.0),
    **dict.fromkeys(("yesterday", "tomorrow", "gestern", "ayer", "hier", "ieri", "ontem"), 1.0),
    **dict.fromkeys(("weekly", "wöchentlich"), 7.0),
    **dict.fromkeys(("monthly", "monatlich"), 31.0),
    **dict.fromkeys(("yearly", "annual", "annually"), 366.0),
    **dict.fromkeys(("fortnight",), 14.0),
    **dict.fromkeys(("ever", "always"), 36_600.0),
}
JOINED = word_set("key token card record security check phrase code")
"""Last words of the pairs that `reach.sensitivity_of` knows."""
DELETES = frozenset(
    verb for verb, effects in VERBS.items() if effects == lex.DELETE and verb not in lex.INSIDE_NOUNS
) - word_set("leave kick end void drop trash detach discard")
FOREIGN_SENSITIVE = {
    word: level
    for level, listed in (
        (
            5,
            "passwort passwörter kennwort kennwörter zugangsdaten contraseña contraseñas credenciales "
            "passe identifiants credenziali senha senhas credenciais",
        ),
        (
            4,
            "löschen lösche löscht löschst entferne entfernen borra borrar borre elimina eliminar elimine "
            "supprime supprimer supprimez efface effacer cancella cancellare eliminare apaga apagar apague "
            "exclua excluir remova remover vertraulich confidencial confidentiel riservato rechnung "
            "rechnungen factura facturas facture factures fattura fatture fatura faturas gehalt gehälter "
            "salario salarios salaire salaires stipendio stipendi salário salários vertrag contrato "
            "contrat "
            "contratto überweisung transferencia virement bonifico patient patientin paciente pazienti",
        ),
        (
            3,
            "kunde kunden kundin adresse adressen cliente clientes clients clienti correo correos courriel "
            "courriels nachricht nachrichten mensaje mensajes messaggio messaggi mensagem mensagens konto "
            "cuenta cuentas compte comptes conto conti conta contas teléfono telefon téléphone telefono "
            "telefone endereço dirección indirizzo pedido pedidos bestellung commande ordine",
        ),
    )
    for word in listed.split()
}
