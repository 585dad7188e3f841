import { create } from "@bufbuild/protobuf";
import { ProfileSchema, Provider, type Profile as ProfileProto } from "../../gen/ts/parley/v1/profile_pb.ts";
import { hasKey, type Profile, type Profiles } from "../profile/profile.ts";
import type * as domain from "../profile/profile.ts";

const PROVIDERS: Readonly<Record<domain.Provider, Provider>> = {
  demo: Provider.DEMO,
  openai_chat: Provider.OPENAI_CHAT,
};

/** Everything but the secret. */
export function profileToProto(profile: Profile, profiles: Profiles): ProfileProto {
  return create(ProfileSchema, {
    name: profile.name,
    provider: PROVIDERS[profile.provider],
    model: profile.model,
    baseUrl: profile.baseUrl,
    hasKey: hasKey(profile),
    isDefault: profile.name === profiles.defaultName,
    description: profile.description,
  });
}
