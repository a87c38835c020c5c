"""What agents may read, and what they may be asked to do: resources and prompts."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.api.problem_catalogue import EXPLANATIONS


@dataclass(frozen=True, slots=True)
class Guide:
    """A text to read."""

    uri: str
    name: str
    title: str
    description: str
    text: Callable[[], str]


def _errors() -> str:
    rows = [f"| {kind.status} | `{kind.code}` | {meaning} |" for kind, meaning in EXPLANATIONS.items()]
    return "\n".join(
        ["# Errors by code", "", "| status | code | meaning, and what to do |", "| --- | --- | --- |", *rows]
    )


_TERMS = """# Terms and ids

- **Account**: one customer of the U-Mail platform. A key of the gateway stands for one account.
- **Contact list** (联系人分类): contacts that a campaign can be sent to; has a `list_id`.
- **Contact** (联系人): one address in one list. An address in three lists is three contacts with three ids.
- **Template** (邮件模板): subjects and HTML of a campaign. The platform reviews each; only approved ones can be sent.
- **Campaign** (群发任务, in the platform's words a task): one mailing of templates to a list.
  `held` has not been sent and waits for its release; `waiting` goes out at its time; `sending`, `sent`; `paused`;
  `cancelled`.
- **Message** (触发类邮件): one mail to one person or a few over SMTP; no campaign, and in no campaign's statistics.
- **Sending domain** (发件域名): a domain that mail may come from once its DNS records are verified.
- **Credits** (点数): what sending costs. The quota is how many mails may still be sent.
- **Preflight** (发送前检查): what speaks against a campaign, found out without sending it. Each check is `pass`,
  `warn`, `fail` or `unknown`; a `fail` blocks. Its **ticket** lets just that campaign go out, once, for 15 minutes.
- **Two persons** (双人复核): a rule of some tenants: who prepared a campaign cannot send it.

One campaign has three ids, and they must not be mixed up: `campaign_id` (tools and most of the API), the batch number
(`batch`, a text such as `20260302093000-2369-1`), and the statistics id (`statistics_id`, in delivery failures).

Open and click rates are fractions of delivered mail. Opens are seen only where tracking was on, and not of everybody:
mail programs that load no pictures tell nothing.

`outcome_unknown` means that something was sent to the platform and nobody knows whether it was carried out. Do not try
again; look whether it is there.
"""

GUIDES = (
    Guide(
        "umail://guides/errors",
        "errors",
        "Errors by code",
        "Every code that a tool's error may carry, what it means, and whether trying again is safe.",
        _errors,
    ),
    Guide(
        "umail://guides/terms",
        "terms",
        "Terms and ids",
        "What the platform's words mean, and which of a campaign's three ids is which.",
        lambda: _TERMS,
    ),
)


@dataclass(frozen=True, slots=True)
class Request:
    """Something that an agent may be asked to do; `arguments` are what is said of each, needed ones first."""

    name: str
    title: str
    description: str
    arguments: Mapping[str, str]
    needed: frozenset[str]
    text: str

    def with_values(self, given: Mapping[str, str]) -> str:
        """Return what is asked, with the values as data behind it."""
        values = {name: given[name] for name in self.arguments if given.get(name)}
        return f"{self.text}\n\nThe values, as data:\n{json.dumps(values, ensure_ascii=False, indent=1)}"


REQUESTS = (
    Request(
        "send_newsletter",
        "Send a newsletter",
        "Prepare a campaign, show what would be sent, and send it once the person agrees.",
        {
            "template": "Name or id of the template.",
            "contact_list": "Name or id of the contact list.",
            "sender": "The address that it comes from.",
            "from_name": "The sender's name that recipients see.",
            "send_at": "When, with an offset from UTC; left out for at once.",
        },
        frozenset({"template", "contact_list", "sender", "from_name"}),
        "Send a newsletter with the tools of this server.\n"
        "1. Call `account_status`. If the key's scopes lack `draft` or `send`, say what cannot be done.\n"
        "2. Find the template with `list_templates` and the list with `list_contact_lists`. If several fit, or none,"
        " ask the person; do not guess.\n"
        "3. Call `prepare_campaign` once. Nothing goes out by that.\n"
        "4. Show the person: sender, subject, list, number of recipients, time, expected credits, and every check"
        " that is not `pass`. If the ticket is null, say what has to be mended, and stop.\n"
        "5. Ask whether to send it. Only if the person says yes to just this, call `send_campaign` with the ticket,"
        " once. Report the campaign's id and status.\n"
        "If a tool's error says `second_person_required`, report the campaign's id: another person has to release it."
        " If it says `outcome_unknown`, do not try again: look with `list_campaigns`.",
    ),
    Request(
        "why_no_mail",
        "Why somebody did not get mail",
        "Find out what became of mail to one address.",
        {
            "email": "The whole e-mail address.",
            "since": "The first day to look at, YYYY-MM-DD; left out for the last week.",
        },
        frozenset({"email"}),
        "Find out why somebody did not get mail, with the tools of this server.\n"
        "1. Call `diagnose_delivery` with the address.\n"
        "2. Explain its conclusion with the signs it rests on: campaign ids, days, reasons. Say what was not looked at."
        " Where nothing was seen, say that nothing is known, not that the mail arrived.\n"
        "3. If the address is in no list, check its spelling with the person. Change nothing, and do not send anything"
        " unless the person asks for it.",
    ),
)
