"""`sluice` with one row more: a vendor that speaks nothing but OpenAI Responses.

No vendor of ours is so, but models are, and every client must reach them. Run as
`python -m tests.sdk.launch streams`.
"""

from providers.vendors import VENDORS, Vendor, bearer
from providers.vendors.row import kept_responses

VENDORS["responsesonly"] = Vendor(
    name="responsesonly",
    title="Responses only",
    link="https://platform.openai.com/docs/api-reference/responses",
    authenticate=bearer,
    routes=kept_responses(),
)

if __name__ == "__main__":
    from sluice.cli import main  # reads the rows

    main(prog_name="sluice")
