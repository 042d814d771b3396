/** The page: puts the parts together. */

import { Conversation } from "./page/conversation.js";

const conversation = new Conversation();

// For tests and for the curious: the figures as numbers, and the phase the page is in.
Object.assign(window, {
  visavis: {
    figures: () => conversation.figures(),
    phase: () => conversation.phase,
  },
});

void conversation.open();
