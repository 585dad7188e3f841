/** Places as people name them. Anything else is passed on as it is: the tool says what is wrong with it. */
const TIMEZONES: Readonly<Record<string, string>> = {
  amsterdam: "Europe/Amsterdam",
  auckland: "Pacific/Auckland",
  beijing: "Asia/Shanghai",
  berlin: "Europe/Berlin",
  cairo: "Africa/Cairo",
  chicago: "America/Chicago",
  delhi: "Asia/Kolkata",
  london: "Europe/London",
  "los angeles": "America/Los_Angeles",
  madrid: "Europe/Madrid",
  moscow: "Europe/Moscow",
  "new york": "America/New_York",
  paris: "Europe/Paris",
  rome: "Europe/Rome",
  "san francisco": "America/Los_Angeles",
  "sao paulo": "America/Sao_Paulo",
  singapore: "Asia/Singapore",
  sydney: "Australia/Sydney",
  tokyo: "Asia/Tokyo",
  utc: "UTC",
  zurich: "Europe/Zurich",
};

export function toTimezones(places: string): string[] {
  return places
    .split(/\s*,\s*(?:and\s+)?|\s+and\s+/i)
    .map((place) => place.trim())
    .filter((place) => place !== "")
    .map((place) => TIMEZONES[place.toLowerCase()] ?? place);
}
