// What a front end needs of the API: one request for the list, one for a report. Replace `key` by your own backend's session.
"use strict";

const $ = (selector) => document.querySelector(selector);
let key = "";
let shown = null;

async function ask(path, accept = "application/json") {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${key}`, Accept: accept } });
  if (answer.ok) return answer;
  const problem = await answer.json();
  throw new Error(problem.detail);
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function drawing(width, height, rectangles) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const values of rectangles) {
    const rectangle = document.createElementNS(namespace, "rect");
    for (const [name, value] of Object.entries(values)) rectangle.setAttribute(name, value);
    svg.append(rectangle);
  }
  return svg;
}

const bar = (share, series) =>
  drawing(100, 10, [
    { class: "ground", width: 100, height: 10 },
    { class: series, width: 100 * (share ?? 0), height: 10 },
  ]);

const percent = (share) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)} %`);
const share = (part, whole) => (whole ? (part ?? 0) / whole : null);

function row(campaign) {
  const { statistics, tracking } = campaign.expanded;
  const name = campaign.templates.map((template) => template.name).join(" / ") || `Campaign ${campaign.id}`;
  const when = campaign.started_at ?? campaign.scheduled_at ?? "";
  const title = element("button", { type: "button", textContent: name, onclick: () => showReport(campaign.id, name) });
  const cell = (label, part, series) =>
    element("td", {}, element("span", { className: "label", textContent: label }), percent(part), bar(part, series));
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, title, element("span", { className: "small", textContent: when.slice(0, 16).replace("T", " ") })),
    element("td", { textContent: campaign.status }),
    cell("Delivered", share(statistics?.delivered_count, statistics?.sent_count), "opens"),
    cell("Opened", tracking?.open_rate, "opens"),
    cell("Clicked", tracking?.click_rate, "clicks"),
  );
}

async function showCampaigns() {
  const page = await (await ask("v1/campaigns?expand=statistics,tracking&page_size=20")).json();
  $("#campaigns tbody").replaceChildren(...page.data.map(row));
  $("#campaigns").hidden = false;
  const failed = page.expansion_errors.length;
  $("#status").textContent = failed ? `${failed} figures could not be read just now.` : `${page.data.length} campaigns`;
}

function list(rows, series) {
  const most = Math.max(1, ...rows.map(([, value]) => value ?? 0));
  const lines = rows.flatMap(([label, value]) => [
    element("dt", { textContent: label ?? "not known" }),
    element("dd", {}, bar((value ?? 0) / most, series)),
    element("dd", { textContent: value ?? "–" }),
  ]);
  return element("dl", {}, ...lines);
}

function timeline({ interval, points }) {
  if (!points.length) return element("p", { textContent: "Nothing yet." });
  const step = interval === "hour" ? 3_600_000 : 86_400_000;
  const begin = Date.parse(points[0].at);
  const slot = (point) => Math.round((Date.parse(point.at) - begin) / step);
  const most = Math.max(...points.map((point) => Math.max(point.first_opens, point.first_clicks)));
  const column = (series, x, width, value) => ({ class: series, x, width, y: 100 - (100 * value) / most, height: (100 * value) / most });
  const columns = points.flatMap((point) => [
    column("opens", slot(point) + 0.05, 0.9, point.first_opens),
    column("clicks", slot(point) + 0.3, 0.4, point.first_clicks),
  ]);
  const time = (point) => point.at.slice(0, 16).replace("T", " ");
  const text = `${time(points[0])} to ${time(points.at(-1))}; at most ${most} first opens in one ${interval}`;
  return element("div", {}, drawing(slot(points.at(-1)) + 1, 100, columns), element("p", { className: "small", textContent: text }));
}

async function showReport(id, name) {
  shown = id;
  const report = await (await ask(`v1/campaigns/${id}/report`)).json();
  const { delivery, engagement } = report;
  $("#report-title").textContent = name;
  $("#report-url").textContent = `GET /v1/campaigns/${id}/report`;
  $("#timeline").replaceChildren(report.timeline ? timeline(report.timeline) : "Could not be read.");
  $("#funnel").replaceChildren(
    list(
      [
        ["Recipients", delivery.expected],
        ["Sent", delivery.sent],
        ["Delivered", delivery.delivered],
        ["Opened", engagement.unique_opens],
        ["Clicked", engagement.unique_clicks],
      ],
      "opens",
    ),
  );
  $("#links").replaceChildren(list(report.links.slice(0, 10).map((link) => [link.url, link.unique_clicks]), "clicks"));
  $("#systems").replaceChildren(list((report.systems?.top ?? []).map((each) => [each.name, each.recipients]), "opens"));
  $("#report").hidden = false;
  $("#report-title").focus();
}

async function save(type) {
  const answer = await ask(`v1/campaigns/${shown}/report`, type);
  const url = URL.createObjectURL(await answer.blob());
  element("a", { href: url, download: `campaign-${shown}-report.${type.slice(5)}` }).click();
  URL.revokeObjectURL(url);
}

const tell = (error) => ($("#status").textContent = error.message);

window.addEventListener("unhandledrejection", (event) => tell(event.reason));
for (const button of document.querySelectorAll("[data-save]")) button.onclick = () => save(button.dataset.save);
$("#access").onsubmit = (event) => {
  event.preventDefault();
  key = $("#key").value;
  showCampaigns();
};
// The demo prints a link that carries the key behind `#`, which never leaves the browser.
if (location.hash) {
  $("#key").value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  $("#access").requestSubmit();
}
