// GitHub's Markdown for CodeMirror, from the parser alone. The full
// @codemirror/lang-markdown would bring HTML, CSS and JavaScript along: 160 kB more.

import {
  Language,
  LanguageSupport,
  defineLanguageFacet,
  foldNodeProp,
  languageDataProp,
} from "@codemirror/language";
import { GFM, parser } from "@lezer/markdown";

const facet = defineLanguageFacet({
  commentTokens: { block: { open: "<!--", close: "-->" } },
});

const language = new Language(
  facet,
  parser.configure([
    GFM,
    {
      props: [
        foldNodeProp.add({
          FencedCode: (tree, state) => ({
            from: state.doc.lineAt(tree.from).to,
            to: tree.to,
          }),
        }),
        languageDataProp.add({ Document: facet }),
      ],
    },
  ]),
  [],
  "markdown",
);

/** The extension that makes an editor read its text as Markdown. */
export const markdown = () => new LanguageSupport(language);
