import { DomainError } from "../errors.ts";

export type Provider = "demo" | "openai_chat";

/** A named model configuration, with its secret. Only `model/` is ever handed the secret. */
export interface Profile {
  readonly name: string;
  readonly provider: Provider;
  readonly model: string;
  /** Empty = the provider's own. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly description: string;
}

export interface Profiles {
  /** By name; empty = the default one; undefined where there is none of that name any more. */
  find(name: string): Profile | undefined;
  /** By name; empty = the default one. Throws DomainError `PROFILE_NOT_FOUND`. */
  get(name: string): Profile;
  readonly defaultName: string;
  /** By name. */
  list(): readonly Profile[];
}

export function createProfiles(profiles: readonly Profile[], defaultName: string): Profiles {
  const byName = new Map(profiles.map((profile) => [profile.name, profile]));
  const find = (name: string): Profile | undefined => byName.get(name === "" ? defaultName : name);
  return {
    find,
    get(name) {
      const profile = find(name);
      if (profile !== undefined) return profile;
      throw new DomainError(
        "not_found",
        "PROFILE_NOT_FOUND",
        `there is no profile ${name}; list them with ListProfiles`,
        {
          profile: name,
        },
      );
    },
    defaultName,
    list: () => [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** Whether a call can be made: OpenAI itself wants a key, a server of one's own may not. */
export function hasKey(profile: Profile): boolean {
  return profile.provider === "demo" || profile.apiKey !== undefined || profile.baseUrl !== "";
}

/**
 * The model in force for what a session or turn says: an empty name is filled in. Throws DomainError `PROFILE_NOT_FOUND`,
 * since nothing can be called without a profile.
 */
export function modelInForce(
  profiles: Profiles,
  named: { readonly profile: string; readonly model: string },
): { readonly profile: Profile; readonly model: string } {
  const profile = profiles.get(named.profile);
  return { profile, model: named.model === "" ? profile.model : named.model };
}

/** The name of the model in force, to be shown: empty where it was the model of a profile that is gone. */
export function modelNameInForce(
  profiles: Profiles,
  named: { readonly profile: string; readonly model: string },
): string {
  return named.model === "" ? (profiles.find(named.profile)?.model ?? "") : named.model;
}
