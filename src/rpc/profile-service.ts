import type { ServiceImpl } from "@connectrpc/connect";
import type { ProfileService } from "../../gen/ts/parley/v1/profile_service_pb.ts";
import type { Profiles } from "../profile/profile.ts";
import { cutPage, fromPageToken, pageSize, toPageToken } from "./page.ts";
import { profileToProto } from "./profile-proto.ts";

export function createProfileService({
  profiles,
}: {
  readonly profiles: Profiles;
}): ServiceImpl<typeof ProfileService> {
  return {
    getProfile: ({ name }) => ({ profile: profileToProto(profiles.get(name), profiles) }),

    listProfiles: (request) => {
      const scope = { method: "ListProfiles", args: [] };
      const size = pageSize(request.pageSize, 50, 500);
      const start = fromPageToken(scope, request.pageToken) ?? 0;
      const { page, hasMore } = cutPage(profiles.list().slice(start), size);
      return {
        profiles: page.map((profile) => profileToProto(profile, profiles)),
        nextPageToken: hasMore ? toPageToken(scope, start + size) : "",
      };
    },
  };
}
