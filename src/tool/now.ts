import type { Clock } from "../clock.ts";
import type { JsonObject } from "../message/message.ts";
import type { Tool } from "./tool.ts";

/** The tool `now`: what time it is, in the machine's time zone or any other. */
export function createNowTool(clock: Clock): Tool {
  return {
    name: "now",
    description: "Tells the current date, time and day of the week in a time zone.",
    parameters: {
      type: "object",
      properties: {
        timezone: {
          type: "string",
          description: "IANA name of a time zone, such as Europe/Paris. Left out = the time zone of this machine.",
        },
      },
      additionalProperties: false,
    },
    assess: () => ({ risk: { level: "none", reason: "it tells the time" }, subjects: [] }),
    run: async (args) => ({ text: formatTime(clock.now(), readTimezone(args)) }),
  };
}

function readTimezone({ timezone }: JsonObject): string {
  if (timezone === undefined || timezone === null || timezone === "") {
    return new Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
  if (typeof timezone !== "string") throw new Error("timezone must be a string, such as Europe/Paris");
  if (isTimezone(timezone)) return timezone;
  throw new Error(
    `there is no time zone ${JSON.stringify(timezone.slice(0, 100))}; give an IANA name such as Europe/Paris, or none`,
  );
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** ISO 8601 with the offset, then what that does not say: `2026-11-03T14:05:06+09:00 (Tuesday, Asia/Tokyo)`. */
function formatTime(nowMs: number, timeZone: string): string {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    weekday: "long",
    timeZoneName: "longOffset",
  });
  const parts = Object.fromEntries(format.formatToParts(nowMs).map(({ type, value }) => [type, value]));
  const { year, month, day, hour, minute, second, weekday, timeZoneName = "" } = parts;
  const offset = timeZoneName.replace("GMT", "") || "+00:00";
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${offset} (${weekday}, ${timeZone})`;
}
