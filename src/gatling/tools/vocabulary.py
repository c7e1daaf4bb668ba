"""Word sets by which names, descriptions and parameters are judged; general English, no vendor's names."""

from __future__ import annotations

import re


def word_set(text: str) -> frozenset[str]:
    """The words of a text that lists them."""
    return frozenset(text.split())


FACTS = word_set(
    "status state info information details detail history balance count total price stats statistics "
    "metric summary index quality weather forecast time date number id name logs setting config "
    "configuration preference size rate availability average score value version property metadata "
    "permission quota address type category schema limit specification year day duration distance "
    "usage cost"
)
"""What is asked for when a name ends in it: `order_status` reads, whatever `order` may mean."""

BARE_FACTS = FACTS - word_set("info information details detail history summary")
"""Facts that hold no text of others, whatever they are facts about."""

OPEN_CONTENT = word_set(
    "email mail message chat thread dm sms conversation page review comment post tweet feed forum "
    "article news blog issue ticket readme repository file document doc pdf attachment note "
    "transcript profile bio event calendar invitation story wiki notification spreadsheet text "
    "content reply mention job resume form survey feedback letter discussion answer headline subtitle "
    "caption lyric recording diff commit changelog contents line request meeting announcement"
)
"""Text that people other than the user and the operator put where a tool finds it."""

OPEN_PLACES = word_set(
    "web website webpage internet online url html browser inbox mailbox http https link engine rss"
)
"""Places where anybody writes: whatever is read there is untrusted."""

TRANSPARENT = word_set(
    "information info details detail data list history result results contents content body text of "
    "and or all in"
)
"""Nouns that stand for what follows or precedes them: "the details of a ticket"."""

CRITERIA = word_set(
    "by with using given based for that which where whose when if according matching via per as to "
    "after before"
)
"""Words after which a phrase says how something is found, no longer what."""

DEVICES = word_set(
    "vehicle car engine door light lamp thermostat brake camera robot drone cruise climate fan valve "
    "motor oven heater conditioner tv television speaker music song playlist playback volume vacuum "
    "garage curtain blind sprinkler appliance headlight parking gps pump elevator gate device "
    "window fuel lock pedal printer"
)
"""What a `DEVICE_VERBS` verb drives in the physical world."""

SETTINGS = word_set(
    "mode setting data roaming option feature wifi notification vpn saver alert config preference account"
)
"""What is switched on without driving anything."""

MONEY = word_set(
    "money amount fund balance account iban currency bank banking payment pay price usd eur dollar "
    "euro stock crypto wallet transaction bill cash bitcoin ether eth coin credit debit invoice "
    "salary"
)

PAYABLE = word_set(
    "flight hotel ticket car ride taxi cab room train cruise trip accommodation rental tour bus ferry "
    "insurance house apartment stay vacation airline lodging seat villa motorcycle bike"
)
"""What is paid for when it is booked."""

PAYMENTS = word_set(
    "payment refund charge transfer payout purchase transaction donation deposit bid trade checkout"
)

GOODS = word_set("order item product purchase package parcel")

PEOPLE = word_set(
    "user member participant collaborator guest contributor attendee reviewer admin editor viewer person"
)

GROUPS = word_set(
    "group team channel organization organisation org role project repository repo workspace event "
    "meeting chat room folder"
)

HELPERS = word_set("human agent representative operator support specialist staff")
"""Whom a conversation is handed over to."""

PUBLISHED = word_set("post tweet comment reply review message announcement story dm")

PUBLISHED_RECORDS = word_set("issue pr pull invitation invite gist discussion")

NUMBERS = word_set("number numbers integer integers vector vectors matrix matrices")

LET_IN = word_set(
    "attendee participant invitee collaborator webhook callback bcc iban beneficiary payee recipient "
    "forwarding"
)
"""Parameters of a writing tool that let somebody in or name who is paid or told later."""

FILES = word_set("path file filename dir directory folder")

WEB = word_set("web browser webpage website internet http https")

OUTPUT = word_set("output save")

LINKS = word_set("for of in on from at to a an the is are and or inside within between among into about")
"""Words that end a noun phrase."""

CODE = word_set(
    "command cmd code script sql shell bash terminal python query expression statement contract "
    "program web browser page element"
)
"""Inputs and tools whose execution may print anything."""

RECIPIENTS = word_set(
    "recipient receiver payee beneficiary attendee participant invitee collaborator requestee cc bcc "
    "iban mention webhook wallet assignee audience subscriber"
)
"""Parameters that are sinks wherever something leaves."""

ADDRESSES = word_set(
    "to destination channel email phone mobile url uri endpoint host domain callback merchant friend "
    "group team guest member chat room bucket server app target"
)
"""Parameters that are sinks of a sending or paying tool, unless a word of `NOT_SINKS` stands by."""

PERSONS = word_set("user username person contact customer employee address people")
"""Parameters that are sinks where no better one is."""

NOT_SINKS = word_set(
    "path file from sender source city location subject title own unit currency repo "
    "parent template thread type"
)

DECISIVE = word_set(
    "amount price total sum value quantity path file filename dir directory folder command cmd code "
    "script sql password secret key token id name permission role scope access level action operation "
    "currency account status state date url uri email user username source destination target "
    "manifest yaml"
)

VOLUME = word_set("limit max count top n k quantity recursive depth all")
"""Parameters that say how much, unless a word of `NOT_VOLUME` stands by."""

VOLUME_ONLY = VOLUME | word_set(
    "num number size page per of result results item row record batch chunk entry message file"
)
"""A parameter made of these words alone says how much, even where none of them does by itself."""

NOT_VOLUME = word_set(
    "price amount phone account gas card distance budget rating token id flight order line room "
    "day temperature speed fee cost spend loss temp length"
)

SHARED = word_set("share sharing access permission membership collaborator visibility public")

WHO = word_set("email user username collaborator member guest person group team role")

PROSE = word_set(
    "body message content text description comment note subject title query summary reason caption "
    "remark prompt question review html markdown instruction greeting feedback keyword keywords"
)
"""Parameters that carry prose, by their last word."""

SENSITIVE: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (level, re.compile(rf"\b(?:{'|'.join(cues.split(', '))})(?:s|es)?\b"))
    for level, cues in (
        (
            5,
            "password, passwd, passcode, passphrase, credential, secret, otp, one time password, "
            "cvv, pin code, mfa, "
            "(?:api|ssh|private|access|secret|encryption|signing|recovery|master) key, apikey, "
            "login, (?:access|auth|authentication|api|bearer|refresh|session) token, seed phrase, "
            "keychain",
        ),
        (
            4,
            "payee, confidential, medical, diagnos(?:i|e), prescription, patient, health record, "
            "genetic, salary, payroll, ssn, social security, passport, tax, legal, bank, banking, "
            "iban, credit card, debit card, balance, transaction, payment, loan, mortgage, "
            "criminal, insurance, invoice, fund, financial, portfolio, wallet, background check, "
            "contract, lawsuit",
        ),
        (
            3,
            "address, phone, birthday, birth, contact, email, mail, mailbox, inbox, message, sms, "
            "chat, conversation, personal, customer, user, profile, employee, order, calendar, "
            "location, history, account, reservation, booking, traveler, traveller, passenger, "
            "guest, attendee, participant, transcript, note, resume, photo",
        ),
        (
            2,
            "file, director(?:y|ie), folder, document, repositor(?:y|ie), repo, ticket, issue, "
            "compan(?:y|ie), project, log, config, configuration, database, server, internal, "
            "team, memor(?:y|ie), inventor(?:y|ie), supplier, workspace, channel, task, setting, "
            "command, code, sql, backup, cluster, system, device, door, lock, vehicle",
        ),
    )
)
"""Levels from the most sensitive, each with the whole words that show it."""
