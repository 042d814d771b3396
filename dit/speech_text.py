"""English sentences for the speech corpus: written ones, a small grammar, and nonsense words.

The grammar gives endless everyday sentences; the nonsense words break the habits of the language,
so that a sound is learned by itself and not from its usual neighbours.
"""

import random
import re


def _list(text: str) -> tuple[str, ...]:
    """Entries separated by bars; line breaks count for nothing."""
    return tuple(" ".join(entry.split()) for entry in text.split("|"))


_WORDS: dict[str, tuple[str, ...]] = {
    "person": _list(
        """my mother|her brother|the old teacher|our neighbour|Bob|Maria|Doctor Wright|the boy|
        Zoe and Thomas|the young pilot|a famous chef|your cousin|Judge Moore|the gentle giant|
        both of us|five musicians|the baby|Peter|Phoebe|the whole choir|Vivian|the bishop|
        someone from the village|Mrs. Young|George|the woman in the blue coat|Papa|Charlotte"""
    ),
    "thing": _list(
        """a paper boat|the broken bicycle|three wooden boxes|a bottle of milk|the yellow umbrella|
        a beige jacket|the television|a bunch of purple flowers|the measuring tape|my favourite map|
        a box of matches|the heavy oven|a tiny toy ship|the fifth page|a loaf of brown bread|
        the bathroom mirror|a bowl of soup|both of the pictures|a very large pumpkin|the phone|
        a thick book about birds|the garage key|his leather gloves|a cup of warm tea"""
    ),
    "place": _list(
        """behind the house|near the river|on the beach|at the airport|under the bridge|in Paris|
        beyond the mountains|in the middle of the room|by the window|at half past five|upstairs|
        in the garden|above the shop|outside the theatre|on the other side of the valley|
        in a small fishing village|on the third floor|in the kitchen|down the path"""
    ),
    "did": _list(
        """bought|found|painted|forgot|opened|pushed|measured|wrapped up|threw away|carried|fixed|
        borrowed|admired|picked up|dropped|washed|moved|broke|imagined|chose|showed me|hid|
        brought back|sold|asked about|pulled out|described|hated|wished for|joked about"""
    ),
    "do": _list(
        """buy|find|paint|keep|open|push|measure|wrap|move|carry|fix|borrow|check|clean|save|
        bring|choose|show me|explain|use|watch|enjoy|replace|finish|join"""
    ),
    "how": _list(
        """slowly|very quietly|with great pleasure|for the first time|every Thursday|as usual|
        before breakfast|without a word|after the meeting|in the early morning|by mistake|
        again and again|for fifteen minutes|as soon as possible|just for fun"""
    ),
    "adjective": _list(
        """wonderful|strange|quite difficult|far too loud|beautiful|impossible|cheap|rather boring|
        smooth|absolutely perfect|awful|bright|unusual|sharp|much better|thin|obvious|huge|
        comfortable|foolish|warm enough|genuine"""
    ),
    "feeling": _list(
        """happy|tired|proud|nervous|sure|surprised|thirsty|amazed|sorry|worried|pleased|
        calm|confused|hopeful|jealous|annoyed"""
    ),
    "weather": _list(
        """rain|fog|sunshine|thunder and lightning|a cold north wind|snow|storms|mild weather"""
    ),
    "month": _list("January|February|March|April|May|June|July|August|September|October"),
    "city": _list("Oslo|Boston|Vienna|Chicago|Mumbai|Geneva|York|Beijing|Havana|Perth"),
}
_GRAMMAR = (
    "{person} {did} {thing} {place}.",
    "{person} {did} {thing}, and {person} was {feeling}.",
    "Did {person} really {do} {thing} {place}?",
    "Please {do} {thing} {how}.",
    "Why would {person} {do} {thing}?",
    "I think {thing} {place} is {adjective}.",
    "Oh, that is {adjective}! {person} must be so {feeling}.",
    "On {month} {day}, {person} {did} {thing} for {money} dollars.",
    "There are {number} people {place}, maybe {number}.",
    "If you {do} {thing}, I will {do} {thing} too.",
    "We expect {weather} in {city}, then {weather}.",
    "No, no, no; {person} never {did} {thing}!",
    "Who {did} {thing} {how}?",
    "It costs {money} dollars and {cents} cents.",
    "Call me at {digit} {digit} {digit}, {digit} {digit} {digit} {digit}.",
    "{person} said: {thing} is {adjective}.",
    "Wow! What a {plain} idea.",
    "Could you {do} {thing} before {person} comes back from {city}?",
    "{how}, {person} {did} {thing}.",
    "The train to {city} leaves at {hour}:{minute}.",
    "When {person} {did} {thing} {place}, everybody was {feeling}.",
    "Hello {person}, how are you? I feel {feeling}.",
    "Either {do} {thing}, or {do} {thing}.",
    "About {number} percent of them are {adjective}.",
    "Up, up and away went {thing}.",
)
_PLAIN = ("bold", "sweet", "stupid", "charming", "fresh", "vague", "rough", "lovely", "thoughtful")
WRITTEN = tuple(
    line.strip()
    for line in """
    Hello, and welcome. It is a pleasure to meet you.
    Good morning! My name is Vera, and I will be your guide today.
    Thank you very much for calling; how may I help you?
    The treasure was hidden beneath a beige carpet.
    Five brave wolves moved through the foggy valley.
    Papa baked a big batch of blueberry muffins.
    Most people prefer popcorn with plenty of butter.
    She usually watches television for pleasure.
    Both brothers thought the path was rather smooth.
    Joy enjoys noisy toys, but the boys are annoyed.
    How now? The brown cow found its way out of town.
    I tried to find my wife by the bright white light.
    Oh no, don't go home alone on those old roads.
    They say the rain may stay until late today.
    Choose a cheap chair or a sturdy church bench.
    The judge enjoyed a large orange in January.
    King Kong is singing along to a long song.
    Few of you knew the true use of the blue spoon.
    A good cook should look at the book.
    Her first nurse heard the early bird.
    The father parked the car in the dark yard.
    All the tall ladies saw a small fawn on the lawn.
    Up above, the sun comes from under one cloud.
    Ten men went to bed and left the rest to Fred.
    Happy cats sat flat on that black mat.
    Sit still, Bill, and fill it with milk.
    See these three green trees? Please keep them clean.
    Water, butter, a better letter, and a pretty city.
    We won't wait while you wander in the wild woods.
    Yes, your new uniform is yellow, unlike yours.
    Really, Larry, the red lorry is around the corner.
    Little Lily filled a yellow pail with snail shells.
    Heavy horses hurry home behind the hill.
    Zebras at the zoo doze in cozy zones.
    Six sleek sisters sipped soup slowly.
    Have you ever driven over a very narrow viaduct?
    Frank found four fine feathers for a farmer's fan.
    Mmm, maybe. Hmm, let me think about it.
    Pip popped up, and Bob bumped into Pam.
    Stop! Do not open that box before Monday.
    What? When? Where? And, above all, why?
    One, two, three, four, five, six, seven, eight, nine, ten.
    It was in 1984, or perhaps in 2013, I forget.
    Nothing is worth more than this very day.
    The thirty-third thief thought through the theory.
    Measure twice, cut once, and check your vision.
    My mom made warm plum jam from Emma's farm.
    Bees buzz by the bush; butterflies flutter above.
    Be quiet. Listen. Do you hear that?
    I would love to, but I promised to be home by seven.
    That is exactly what I meant when I mentioned the problem.
    You can always ask me again if something is unclear.
    Unfortunately, this option isn't available at the moment.
    In my opinion, the simplest answer is usually the best one.
    First, press the button. Then, wait for the beep. Finally, open the valve.
    Let me give you an example of how this works in practice.
    Photosynthesis turns sunlight, water and carbon dioxide into sugar.
    The committee will publish its report by the middle of next week.
    He whispered something that made her laugh out loud.
    Bravo! You've just improved your own record by five points.
    """.strip().splitlines()
)
_ONSETS = _list(
    "p|b|m|f|v|θ|ð|t|d|n|s|z|ʃ|ʧ|ʤ|k|ɡ|h|l|ɹ|w|j|pl|bl|bɹ|pɹ|fl|fɹ|tɹ|dɹ|st|sp|sk|sm|sn|kl|kɹ|"
    "ɡɹ|ɡl|θɹ|ʃɹ|sw|tw|kw|spl|stɹ"
)
_NUCLEI = _list("i|ɪ|ɛ|æ|ʌ|ɑ|ɔ|ʊ|u|A|I|O|W|Y|ɜɹ|ə")
_CODAS = _list("|||p|b|m|f|v|θ|t|d|n|s|z|ʃ|ʧ|ʤ|k|ɡ|ŋ|l|ɹ|ʒ|mp|ft|st|nd|lt|ks|ps|vz|mz")


def sentence(rng: random.Random) -> str:
    """One sentence: every fifth is a written one, the rest come from the grammar."""
    if rng.random() < 0.2:
        return rng.choice(WRITTEN)
    numbers = {
        "number": str(rng.randint(2, 9999)),
        "money": str(rng.randint(1, 200)),
        "cents": str(rng.randint(2, 99)),
        "day": str(rng.randint(1, 28)),
        "hour": str(rng.randint(1, 12)),
        "minute": f"{rng.randint(10, 59)}",
        "plain": rng.choice(_PLAIN),
    }

    def fill(slot: re.Match[str]) -> str:
        name = slot.group(1)
        if name == "digit":
            return str(rng.randint(0, 9))
        if name in numbers:
            return numbers[name]
        return rng.choice(_WORDS[name])

    text = re.sub(r"\{(\w+)\}", fill, rng.choice(_GRAMMAR))
    return text[0].upper() + text[1:]


def nonsense(rng: random.Random) -> str:
    """Phonemes of three to seven made-up words, spoken as one sentence."""
    words = []
    for _ in range(rng.randint(3, 7)):
        stressed = rng.choice(((True,), (True, False), (False, True)))
        words.append(
            "".join(
                rng.choice(_ONSETS)
                + ("ˈ" if loud else "")
                + rng.choice(_NUCLEI)
                + rng.choice(_CODAS)
                for loud in stressed
            )
        )
    return " ".join(words) + rng.choice((".", "!", "?"))
