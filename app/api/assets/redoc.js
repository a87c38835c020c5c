"use strict";
// Starts ReDoc, in the colours that the reader's system prefers.
const script = document.currentScript;
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const theme = dark
  ? {
      colors: {
        primary: { main: "#7cb7ff" },
        text: { primary: "#e6e9ec", secondary: "#b3bcc5" },
        border: { dark: "#4a535c", light: "#3a424a" },
        http: { get: "#4fae5a", post: "#4f9be8", put: "#c08be8", patch: "#d6a23c", delete: "#e2706b" },
        responses: {
          success: { color: "#7fd28a", backgroundColor: "#1d3324" },
          error: { color: "#ff9a94", backgroundColor: "#3a2020" },
          redirect: { color: "#e4c46a", backgroundColor: "#3a3218" },
          info: { color: "#8cc4ff", backgroundColor: "#1b2c3d" },
        },
      },
      schema: { nestedBackground: "#23292f", typeNameColor: "#b3bcc5", requireLabelColor: "#ff9a94", linesColor: "#5b6b7a" },
      sidebar: { backgroundColor: "#1c2126", textColor: "#e6e9ec" },
      rightPanel: { backgroundColor: "#14181c" },
      codeBlock: { backgroundColor: "#0e1114" },
      typography: { code: { color: "#ffb199", backgroundColor: "#2a3138" }, links: { color: "#7cb7ff", visited: "#7cb7ff", hover: "#a9d0ff" } },
    }
  : { colors: { primary: { main: "#1a5fb4" } } };
Redoc.init(
  script.dataset.document,
  { theme, hideDownloadButton: false, expandResponses: "", jsonSampleExpandLevel: 3, sortPropsAlphabetically: false, scrollYOffset: 44 },
  document.getElementById("redoc"),
);
