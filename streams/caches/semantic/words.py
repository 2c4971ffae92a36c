"""Lists of English words that the guards know. No list is complete: they are there for the edits that
keep a sentence's vector where it was, and the rest is left to what is learnt."""

from __future__ import annotations


def listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = listed(
    "a an the is are was were do does did i my me mine we us our you your it its of to in on for and or"
    " what how why when where which who whose can could will would should shall may might must be been"
    " being am this that these those with at from by if there here have has had get got not no please"
    " tell hi hello hey thanks thank just so then than as but about into any some need want like know"
    " help let quick question pls plz ok okay"
)
QUESTION_WORDS = listed("what how why when where who whom whose which")
NEGATIONS = listed(
    "not no never none nobody nothing nowhere neither nor without hardly barely unable lacking"
)
# "I do not understand why …": the denial is the asker's, not the question's.
IDLE_NEGATIONS = listed("know understand remember recall sure think see")
AUXILIARIES = listed("do does did can could am")
_CONTRACTIONS = (
    "aint:am arent:are cant:can couldnt:could didnt:did doesnt:does dont:do hadnt:had hasnt:has"
    " havent:have isnt:is mightnt:might mustnt:must neednt:need shouldnt:should wasnt:was werent:were"
    " wont:will wouldnt:would"
)
CONTRACTED: dict[str, tuple[str, ...]] = {
    short: (verb, "not")
    for short, _, verb in (pair.partition(":") for pair in _CONTRACTIONS.split())
} | {"im": ("i",), "ive": ("i", "have"), "whats": ("what", "is"), "hows": ("how", "is")}
_SMALL = (
    "zero - two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
_TENS = "thirty forty fifty sixty seventy eighty ninety"
# Without one, second and the like, which mostly count nothing.
NUMERALS: dict[str, str] = {
    word: str(number) for number, word in enumerate(_SMALL.split()) if word != "-"
} | {word: str(10 * tens) for tens, word in enumerate(_TENS.split(), start=3)}
# What follows them has a part in what is asked, and two such parts can be exchanged.
ROLES = listed(
    "from to into onto than over under before after with by for against versus vs between of on in"
    " as instead via through toward towards is are"
)
_OPPOSITES = (
    "on/off open/close up/down in/out high/low enable/disable activate/deactivate start/stop"
    " begin/end begin/finish before/after first/last early/late earlier/later add/remove add/delete"
    " create/delete insert/delete increase/decrease raise/lower raise/reduce increase/reduce"
    " increase/lower more/less more/fewer most/least many/few maximum/minimum max/min"
    " buy/sell import/export upload/download send/receive sent/received give/take give/receive"
    " deposit/withdraw deposit/withdrawal lock/unlock block/unblock freeze/unfreeze push/pull"
    " allow/deny allow/block allow/forbid allow/prevent accept/reject accept/decline accept/refuse"
    " approve/reject approve/decline approve/deny confirm/deny include/exclude grant/revoke"
    " join/leave enter/exit enter/leave arrive/depart arrival/departure arrive/leave login/logout"
    " subscribe/unsubscribe follow/unfollow like/dislike love/hate friend/enemy"
    " good/bad better/worse best/worst right/wrong correct/incorrect true/false yes/no success/failure"
    " succeed/fail pass/fail win/lose gain/lose gain/loss profit/loss find/lose found/lost"
    " cheap/expensive cheaper/expensive cheapest/expensive cheap/dear fast/slow faster/slower"
    " fastest/slowest quick/slow big/small bigger/smaller biggest/smallest large/small"
    " larger/smaller largest/smallest long/short longer/shorter longest/shortest tall/short"
    " wide/narrow thick/thin heavy/light strong/weak hard/soft hard/easy difficult/easy hot/cold"
    " warm/cold warm/cool hotter/colder warmer/colder wet/dry full/empty rich/poor old/new old/young"
    " older/newer older/younger oldest/newest oldest/youngest ancient/modern public/private"
    " internal/external inside/outside indoor/outdoor above/below over/under top/bottom left/right"
    " front/back north/south east/west northern/southern eastern/western forward/backward"
    " forwards/backwards ascending/descending asc/desc horizontal/vertical"
    " man/woman men/women male/female boy/girl husband/wife mother/father brother/sister"
    " son/daughter king/queen adult/child parent/child teacher/student employer/employee"
    " doctor/patient seller/buyer lender/borrower landlord/tenant sender/recipient client/server"
    " credit/debit asset/liability income/expense lend/borrow pay/receive charge/refund save/spend"
    " save/discard keep/discard keep/remove keep/delete keep/cancel"
    " always/never all/none everyone/nobody with/without day/night am/pm morning/evening"
    " today/tomorrow today/yesterday yesterday/tomorrow past/future previous/next last/next"
    " ago/later summer/winter spring/autumn sunrise/sunset"
    " mount/unmount install/uninstall encrypt/decrypt encode/decode compress/decompress"
    " serialize/deserialize connect/disconnect attach/detach bind/unbind load/unload pack/unpack"
    " zip/unzip wrap/unwrap link/unlink mute/unmute pin/unpin hide/show hidden/visible"
    " expand/collapse read/write input/output push/pop client/server sync/async local/remote"
    " online/offline manual/automatic legal/illegal safe/dangerous safe/unsafe healthy/unhealthy"
    " possible/impossible same/different similar/different single/married single/multiple"
    " singular/plural positive/negative plus/minus multiply/divide odd/even even/uneven"
    " live/die alive/dead birth/death sleep/wake remember/forget pause/resume continue/stop"
    " hire/fire promote/demote grow/shrink rise/fall ascend/descend build/destroy fix/break"
    " attack/defend advance/retreat float/sink tighten/loosen fill/empty question/answer"
    " lost/found stolen/found vegetarian/meat vegan/meat wholesale/retail import/domestic"
    " domestic/international personal/business free/paid free/occupied gross/net fixed/variable"
    " physical/virtual digital/physical active/inactive active/passive available/unavailable"
)
OPPOSITES: dict[str, frozenset[str]] = {}
for _pair in _OPPOSITES.split():
    _one, _, _other = _pair.partition("/")
    OPPOSITES[_one] = OPPOSITES.get(_one, frozenset()) | {_other}
    OPPOSITES[_other] = OPPOSITES.get(_other, frozenset()) | {_one}
# Before a word they turn it round: lock and unlock, able and disable.
OPPOSING_PREFIXES = ("un", "dis", "de", "in", "im", "ir", "il", "non", "anti", "mis")
# Proper names that people type in lower case, too.
NAMES = listed(
    "monday tuesday wednesday thursday friday saturday sunday january february april june july august"
    " september october november december"
    " usd eur gbp jpy chf cad aud inr cny dollar dollars euro euros pound pounds yen yuan rupee rupees"
    " franc francs peso pesos rouble roubles ruble rubles krona kronor"
    " visa mastercard amex maestro paypal bitcoin ethereum"
    " africa america asia europe australia argentina austria bangladesh belgium brazil bulgaria canada"
    " chile china colombia croatia cuba denmark egypt england ethiopia finland france germany ghana"
    " greece hungary iceland india indonesia iran iraq ireland israel italy jamaica japan kenya korea"
    " malaysia mexico morocco nepal netherlands nigeria norway pakistan peru philippines poland"
    " portugal romania russia scotland serbia singapore spain sweden switzerland taiwan thailand"
    " turkey uganda ukraine uk usa venezuela vietnam wales zimbabwe"
    " amsterdam athens atlanta baghdad bangkok barcelona beijing berlin boston brussels budapest cairo"
    " chicago copenhagen dallas delhi denver detroit dubai dublin edinburgh frankfurt geneva hamburg"
    " helsinki houston istanbul jakarta jerusalem johannesburg karachi lagos lisbon london madrid"
    " manila melbourne miami milan montreal moscow mumbai munich nairobi oslo paris philadelphia"
    " phoenix prague rome seattle seoul shanghai stockholm sydney tokyo toronto vancouver vienna"
    " warsaw zurich"
    " california texas florida hawaii alaska ohio utah nevada oregon arizona colorado georgia"
    " english french german spanish italian portuguese dutch swedish norwegian danish finnish polish"
    " russian ukrainian greek turkish arabic hebrew hindi urdu bengali chinese mandarin cantonese"
    " japanese korean vietnamese thai latin"
    " python java javascript typescript rust golang kotlin scala ruby php perl haskell fortran cobol"
    " c++ c# node.js django flask react angular postgresql postgres mysql mariadb sqlite mongodb redis"
    " cassandra kafka elasticsearch aws gcp heroku kubernetes docker terraform ansible"
    " iphone ipad android ios windows linux macos ubuntu debian fedora chrome firefox safari edge"
    " google microsoft amazon facebook instagram twitter whatsapp telegram netflix spotify uber"
    " christmas easter ramadan diwali hanukkah thanksgiving"
    " mercury venus mars jupiter saturn uranus neptune pluto"
)
