import type { ServiceImpl } from "@connectrpc/connect";
import type { ProfileService } from "../../gen/ts/parley/v1/profile_service_pb.ts";
import type { Profile, Profiles } from "../profile/profile.ts";
import { readPage } from "./page.ts";
import { profileToProto } from "./profile-proto.ts";

export function createProfileService({
  profiles,
}: {
  readonly profiles: Profiles;
}): ServiceImpl<typeof ProfileService> {
  return {
    getProfile: ({ name }) => ({ profile: profileToProto(profiles.get(name), profiles) }),

    listProfiles: async (request) => {
      const all = profiles.list();
      const list = {
        scope: { method: "ListProfiles", args: [] },
        defaultSize: 50,
        maxSize: 500,
        read: async (place = 0, limit: number) => all.slice(place, place + limit),
        placeOf: (profile: Profile) => all.indexOf(profile) + 1,
      };
      const { items, nextPageToken } = await readPage(list, request);
      return { profiles: items.map((profile) => profileToProto(profile, profiles)), nextPageToken };
    },
  };
}
