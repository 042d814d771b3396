"""How the studio looks: the live page's colours, the system's own fonts."""

import gradio as gr

_CSS = """
.gradio-container {
  width: 100% !important; max-width: 1160px !important; margin: 0 auto !important;
}
.gradio-container .tabs { width: 100%; }
.masthead { display: flex; align-items: center; justify-content: space-between; gap: 12px; }
.masthead h1 { display: flex; align-items: center; gap: 10px; margin: 0 !important;
  font-size: 1.25rem !important; }
.masthead a { color: var(--body-text-color); text-decoration: underline; padding: 12px 0; }
.note { color: var(--body-text-color-subdued); }
.clip video { max-height: 260px; }
.preview { position: sticky; top: 8px; z-index: 5; }
/* a long list of options never hides how far the job is */
.result { position: sticky !important; top: 8px; align-self: flex-start; }
@media (max-width: 640px) {
  .gradio-container .tab-container button { padding: 0 10px; }
  .gradio-container .main { padding: 8px 12px !important; }
  .preview { height: 300px !important; }
  .result { position: static !important; }
}
"""
# in the head and not through Gradio's css, which puts every rule under an element of its own
HEAD = f'<link rel="icon" href="/icon.svg" type="image/svg+xml"><style>{_CSS}</style>'
HEADER = (
    '<header class="masthead"><h1><img src="/icon.svg" alt="" width="28" height="28">'
    'Visavis studio</h1><a href="/">Live page</a></header>'
)


def theme() -> gr.themes.Base:
    """Nothing in it is fetched from anywhere."""
    return gr.themes.Soft(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="stone",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
    ).set(
        body_background_fill="#f5f3ef",
        body_background_fill_dark="#101314",
        block_background_fill="#fffefb",
        block_background_fill_dark="#191d1f",
        block_border_width="1px",
        block_border_color="#dedad2",
        block_border_color_dark="#2d3335",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        checkbox_label_background_fill_selected="*primary_700",
        checkbox_label_background_fill_selected_dark="*primary_700",
        checkbox_background_color_selected="*primary_800",
        slider_color="*primary_700",
        link_text_color="*primary_700",
        block_label_background_fill="*background_fill_secondary",
        block_label_background_fill_dark="*background_fill_secondary",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_background_fill="transparent",
        block_title_background_fill_dark="transparent",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
    )
