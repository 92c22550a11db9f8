"""The hosted onboarding page behind an account link, which opens it once."""

import re
from html import escape
from typing import Any

from connect.testing import errors, pages
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.resources.account_change import find
from connect.testing.resources.bank_account import FAILURES, NUMBER_PAID, NUMBERS
from connect.testing.resources.onboarding import STANDS, Answers, Person, submit
from connect.testing.store import StripeObject

VISIT_SECONDS = 3600
BUSINESS_TYPES = {
    "individual": "Individual",
    "company": "Company",
    "non_profit": "Non-profit",
    "government_entity": "Government entity",
}
KINDS = {"5999": "Other retail", "5812": "Restaurants", "7392": "Consulting", "8299": "Education"}
BANKS = {NUMBER_PAID: f"{NUMBER_PAID}: payouts arrive"} | {
    NUMBERS[last4]: f"{NUMBERS[last4]}: payouts fail, {code}"
    for last4, (code, _, _) in FAILURES.items()
}
# What may be left undone beside what is due now.
OFTEN_LEFT = (
    "business_profile.url",
    "external_account",
    "individual.id_number",
    "individual.verification.document",
    "tos_acceptance.date",
)
FORM = """<p>{name} is setting up payments for <code>{account}</code>.
Everything is filled in: submit it as it is, or change what you like.</p>
{complaint}
<form method="post">
<fieldset><legend>Business</legend>
{business_type}{business_name}{url}{mcc}
</fieldset>
<fieldset><legend>Who you are</legend>
<div class="row"><div>{first_name}</div><div>{last_name}</div></div>
{email}
<div class="row"><div>{day}</div><div>{month}</div><div>{year}</div></div>
</fieldset>
<fieldset><legend>Payouts</legend>
{bank_account}
</fieldset>
<fieldset><legend>Leave undone (to see what your site makes of it)</legend>
{leave_due}{stand}
</fieldset>
<p><button name="action" value="submit">Submit</button>
<button name="action" value="later">Save for later</button></p>
</form>"""


@pages.page("/setup/c/{account}/{token}")
def follow(call: Call, names: dict[str, str], method: str) -> Answer:
    """The first visit opens the form; later ones, and late ones, go to the `refresh_url`."""
    link = call.world.links.get(names["token"], {})
    if link.get("account") != names["account"] or method != "GET":
        raise errors.Refused(404, "There is no such link.")
    if link.get("visited") or link["expires_at"] <= call.now:
        if not link.get("refresh_url"):
            return pages.html("Link expired", "<p>This link was used or is too old.</p>", 410)
        return pages.redirect(link["refresh_url"])
    link["visited"] = True
    visit = call.world.ids.characters(24)
    call.world.links[visit] = {"visit": link, "expires_at": call.now + VISIT_SECONDS}
    return pages.redirect(f"{call.base_url}/setup/s/{visit}")


@pages.page("/setup/s/{visit}")
def onboard(call: Call, names: dict[str, str], method: str) -> Answer:
    visit = call.world.links.get(names["visit"], {})
    link = visit.get("visit")
    if link is None or visit["expires_at"] <= call.now:
        raise errors.Refused(404, "There is no such page any more. Ask for a new link.")
    form = call.params
    call = call.on(link["platform"]).with_params()
    account = find(call, link["account"])
    if method == "GET":
        return page(link, account, {})
    if pages.said(form, "action") != "later":
        try:
            answers = answered(form, offered(link, account))
            with call.world.transaction():
                submit(call, account, answers)
        except errors.Refused as refused:
            return page(link, account, form, str(refused))
    return leave(call, link, names["visit"])


def leave(call: Call, link: dict[str, Any], visit: str) -> Answer:
    """Back to where the link said, which tells nothing of what was done here."""
    del call.world.links[visit]
    if "use_case" in link:
        with call.world.transaction():
            configurations = link.get("configurations") or []
            said = {"account_id": link["account"], "configurations": configurations}
            call.emit_thin(
                "v2.core.account_link.returned", None, data={**said, "use_case": link["use_case"]}
            )
    if not link.get("return_url"):
        return pages.html("Done", "<p>You may close this page.</p>")
    return pages.redirect(link["return_url"])


def offered(link: dict[str, Any], account: StripeObject) -> list[str]:
    """The requirements that may be left: what the link collects, and what is often left."""
    options = link.get("collection_options") or {}
    name = "eventually_due" if options.get("fields") == "eventually_due" else "currently_due"
    asked = list(account["requirements"][name])
    if options.get("future_requirements") == "include":
        asked += account["future_requirements"][name]
    return list(dict.fromkeys([*asked, *OFTEN_LEFT]))


def answered(form: dict[str, Any], known: list[str]) -> Answers:
    """Raises Refused for what the form cannot have offered."""
    business_type = pages.said(form, "business_type", "individual")
    number = pages.said(form, "bank_account", NUMBER_PAID)
    left = form.get("leave_due", {})
    left = [str(path) for path in left.values()] if isinstance(left, dict) else [str(left)]
    url = pages.said(form, "url", Answers.url)
    if business_type not in BUSINESS_TYPES:
        raise errors.Refused(400, "Choose a type of business.")
    if number not in BANKS:
        raise errors.Refused(400, "Choose one of the test bank accounts.")
    if not re.fullmatch(r"https?://\S+", url):
        raise errors.Refused(400, "The website must begin with https:// or http://.")
    if not set(left) <= set(known):
        raise errors.Refused(400, "Leave undone only what is on the list.")
    return Answers(
        business_type=business_type,
        business_name=pages.said(form, "business_name") or Answers.business_name,
        url=url,
        mcc=pages.said(form, "mcc", Answers.mcc),
        bank_account=number,
        person=person(form),
        leave_due=tuple(left),
        stand=pages.said(form, "stand", "past_due"),
    )


def person(form: dict[str, Any]) -> Person:
    born = [pages.said(form, name, "1") for name in ("day", "month", "year")]
    if not all(re.fullmatch(r"\d{1,4}", part) for part in born):
        raise errors.Refused(400, "Say your date of birth in numbers.")
    day, month, year = map(int, born)
    if not (1 <= day <= 31 and 1 <= month <= 12 and 1900 <= year <= 2100):
        raise errors.Refused(400, "There is no such date of birth.")
    return Person(
        first_name=pages.said(form, "first_name") or Person.first_name,
        last_name=pages.said(form, "last_name") or Person.last_name,
        email=pages.said(form, "email") or None,
        dob=(day, month, year),
    )


def page(
    link: dict[str, Any], account: StripeObject, form: dict[str, Any], complaint: str = ""
) -> Answer:
    profile = account["business_profile"]

    def text(label: str, name: str, value: str | None, **attributes: str) -> str:
        return pages.field(label, name, pages.said(form, name, value or ""), **attributes)

    number = {"inputmode": "numeric"}
    boxes = "".join(
        f'<label><input type="checkbox" name="leave_due[]" value="{escape(path)}"> {escape(path)}</label>'
        for path in offered(link, account)
    )
    body = FORM.format(
        account=escape(account["id"]),
        bank_account=pages.choice("Bank account", "bank_account", BANKS),
        business_name=text("Name", "business_name", profile["name"] or Answers.business_name),
        business_type=pages.choice(
            "Type", "business_type", BUSINESS_TYPES, account["business_type"] or "individual"
        ),
        complaint=pages.alert(complaint),
        day=text("Day of birth", "day", "1", **number),
        email=text("E-mail", "email", account["email"], type="email", autocomplete="email"),
        first_name=text("First name", "first_name", Person.first_name),
        last_name=text("Last name", "last_name", Person.last_name),
        leave_due=boxes,
        mcc=pages.choice("Kind", "mcc", KINDS),
        month=text("Month", "month", "1", **number),
        name=escape(profile["name"] or account["email"] or "A business"),
        stand=pages.choice("What is left is", "stand", STANDS),
        url=text("Website", "url", profile["url"] or Answers.url, type="url"),
        year=text("Year", "year", "1901", **number),
    )
    title = "Update your account" if link["type"] == "account_update" else "Get paid"
    return pages.html(title, body, 400 if complaint else 200)
