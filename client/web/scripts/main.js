/** The page: puts the parts together. */

import { readAddress } from "./page/address.js";
import { Conversation } from "./page/conversation.js";
import { Preferences } from "./page/preferences.js";
import { ThemeSwitch } from "./page/theme.js";

const { wishes, mistakes } = readAddress(location.search);
const preferences = new Preferences();
if (wishes.captions !== null) preferences.override({ captions: wishes.captions });
if (!wishes.controls) document.documentElement.dataset["controls"] = "none";
new ThemeSwitch(preferences);
const conversation = new Conversation(preferences, wishes);

// For tests and for the curious: the figures as numbers, and the phase the page is in.
Object.assign(window, {
  visavis: {
    figures: () => conversation.figures(),
    phase: () => conversation.phase,
  },
});

void conversation.open(mistakes);
