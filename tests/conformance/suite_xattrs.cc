// Conformance: extended attributes and POSIX ACLs.
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kAccessKey = "system.posix_acl_access";
constexpr std::string_view kDefaultKey = "system.posix_acl_default";

// One entry of an ACL value: tag, permissions, id; little endian.
std::string Entry(int tag, int permissions, std::uint32_t id = 0xffffffff) {
  std::string bytes = {static_cast<char>(tag), 0, static_cast<char>(permissions), 0};
  for (unsigned shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>((id >> shift) & 0xffU));
  }
  return bytes;
}
const std::string kHeader("\x02\0\0\0", 4);

// user:: u, user:1000: named, group:: g, mask:: m, other:: o
std::string AclValue(int user, int named, int group, int mask, int other) {
  return kHeader + Entry(1, user) + Entry(2, named, 1000) + Entry(4, group) + Entry(16, mask) +
         Entry(32, other);
}
std::string PlainAclValue(int user, int group, int other) {
  return kHeader + Entry(1, user) + Entry(4, group) + Entry(32, other);
}

TEST_P(FileSystemConformance, XattrKeepsEveryByteOfItsValue) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  const std::string value("\0a\xff", 3);
  ASSERT_THAT(SetKey(file, "user.k", value), Succeeds());
  EXPECT_THAT(Key(file, "user.k"), Gives(value));
}

TEST_P(FileSystemConformance, XattrMayBeEmpty) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, "user.k", ""), Succeeds());
  EXPECT_THAT(Key(file, "user.k"), Gives(std::string()));
}

TEST_P(FileSystemConformance, XattrsAreListedSorted) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, "user.b", "2"), Succeeds());
  ASSERT_THAT(SetKey(file, "trusted.c", "3"), Succeeds());
  ASSERT_THAT(SetKey(file, "user.a", "1"), Succeeds());
  ASSERT_THAT(SetKey(file, "security.d", "4"), Succeeds());
  EXPECT_THAT(*fs().ListXattr(Op(), file),
              ElementsAre("security.d", "trusted.c", "user.a", "user.b"));
}

TEST_P(FileSystemConformance, NewNodeHasNoXattrs) {
  LAMINA_NEEDS(fs().limits().xattrs);
  EXPECT_THAT(*fs().ListXattr(Op(), MakeFile(root(), "a")), IsEmpty());
}

TEST_P(FileSystemConformance, SetOfAPresentKeyReplacesTheValue) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, "user.k", "old"), Succeeds());
  ASSERT_THAT(SetKey(file, "user.k", "new"), Succeeds());
  EXPECT_THAT(Key(file, "user.k"), Gives(std::string("new")));
}

TEST_P(FileSystemConformance, SetXattrSetsCtimeOnly) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  const Instant mtime = StatOf(file).mtime;
  EXPECT_TRUE(ChangesCtime(file, [&] { EXPECT_THAT(SetKey(file, "user.k", "v"), Succeeds()); }));
  EXPECT_EQ(StatOf(file).mtime, mtime);
}

TEST_P(FileSystemConformance, RemoveXattrSetsCtime) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, "user.k", "v"), Succeeds());
  EXPECT_TRUE(
      ChangesCtime(file, [&] { EXPECT_THAT(fs().RemoveXattr(Op(), file, "user.k"), Succeeds()); }));
}

TEST_P(FileSystemConformance, RemovedXattrIsNoData) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, "user.k", "v"), Succeeds());
  ASSERT_THAT(fs().RemoveXattr(Op(), file, "user.k"), Succeeds());
  EXPECT_THAT(Key(file, "user.k"), IsErrno(Errno::kNoData));
  EXPECT_THAT(*fs().ListXattr(Op(), file), IsEmpty());
}

TEST_P(FileSystemConformance, XattrsBelongToTheNodeNotToTheName) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(fs().Link(Op(), file, {root(), "b"}), Succeeds());
  ASSERT_THAT(SetKey(file, "user.k", "v"), Succeeds());
  ASSERT_THAT(Rename({root(), "b"}, {root(), "c"}), Succeeds());
  EXPECT_THAT(Key(*Find(root(), "c"), "user.k"), Gives(std::string("v")));
}

TEST_P(FileSystemConformance, MissingXattrIsNoData) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(Key(file, "user.k"), IsErrno(Errno::kNoData));
  EXPECT_THAT(fs().RemoveXattr(Op(), file, "user.k"), IsErrno(Errno::kNoData));
}

TEST_P(FileSystemConformance, UnknownNamespaceIsOpNotSupp) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(SetKey(file, "system.k", "v"), IsErrno(Errno::kOpNotSupp));
  EXPECT_THAT(SetKey(file, "k", "v"), IsErrno(Errno::kOpNotSupp));
  EXPECT_THAT(Key(file, "other.k"), IsErrno(Errno::kOpNotSupp));
  EXPECT_THAT(fs().RemoveXattr(Op(), file, "other.k"), IsErrno(Errno::kOpNotSupp));
}

TEST_P(FileSystemConformance, XattrKeyThatIsEmptyOrOver255BytesIsRange) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(SetKey(file, "", "v"), IsErrno(Errno::kRange));
  EXPECT_THAT(SetKey(file, "user." + std::string(251, 'k'), "v"), IsErrno(Errno::kRange));
  EXPECT_THAT(SetKey(file, "user." + std::string(250, 'k'), "v"), Succeeds());
}

TEST_P(FileSystemConformance, XattrValueOverTheLimitIs2Big) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  const std::string value(fs().limits().xattr_value_max, 'v');
  EXPECT_THAT(SetKey(file, "user.k", value + "v"), IsErrno(Errno::k2Big));
  EXPECT_THAT(Key(file, "user.k"), IsErrno(Errno::kNoData));
}

TEST_P(FileSystemConformance, UserXattrOfASymlinkIsPerm) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId link = MakeLink(root(), "l", "t");
  EXPECT_THAT(SetKey(link, "user.k", "v"), IsErrno(Errno::kPerm));
  EXPECT_THAT(fs().RemoveXattr(Op(), link, "user.k"), IsErrno(Errno::kPerm));
}

TEST_P(FileSystemConformance, UserXattrOfAFifoIsPerm) {
  LAMINA_NEEDS(fs().limits().xattrs);
  EXPECT_THAT(SetKey(*Make(root(), "p", FileType::kFifo), "user.k", "v"), IsErrno(Errno::kPerm));
}

TEST_P(FileSystemConformance, TrustedXattrOfASymlinkIsKept) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId link = MakeLink(root(), "l", "t");
  ASSERT_THAT(SetKey(link, "trusted.k", "v"), Succeeds());
  EXPECT_THAT(Key(link, "trusted.k"), Gives(std::string("v")));
}

TEST_P(FileSystemConformance, CreateOfAPresentXattrIsExist) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, "user.k", "v", XattrMode::kCreate), Succeeds());
  EXPECT_THAT(SetKey(file, "user.k", "w", XattrMode::kCreate), IsErrno(Errno::kExist));
  EXPECT_THAT(Key(file, "user.k"), Gives(std::string("v")));
}

TEST_P(FileSystemConformance, ReplaceOfAnAbsentXattrIsNoData) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(SetKey(file, "user.k", "v", XattrMode::kReplace), IsErrno(Errno::kNoData));
  ASSERT_THAT(SetKey(file, "user.k", "v"), Succeeds());
  EXPECT_THAT(SetKey(file, "user.k", "w", XattrMode::kReplace), Succeeds());
  EXPECT_THAT(Key(file, "user.k"), Gives(std::string("w")));
}

// ── ACLs
// ───────────────────────────────────────────────────────────────────────────────────────────

TEST_P(FileSystemConformance, AccessAclSetsTheGroupBitsFromItsMask) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a", "", 0600);
  ASSERT_THAT(SetKey(file, kAccessKey, AclValue(6, 6, 4, 7, 4)), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0674);
  EXPECT_THAT(Key(file, kAccessKey), Gives(AclValue(6, 6, 4, 7, 4)));
}

TEST_P(FileSystemConformance, AccessAclThatTheModeCanSayIsNotKept) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a", "", 0600);
  ASSERT_THAT(SetKey(file, kAccessKey, AclValue(6, 6, 4, 7, 4)), Succeeds());
  ASSERT_THAT(SetKey(file, kAccessKey, PlainAclValue(6, 4, 0)), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0640);
  EXPECT_THAT(Key(file, kAccessKey), IsErrno(Errno::kNoData));
}

TEST_P(FileSystemConformance, ChmodRewritesTheMaskOfTheAccessAcl) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, kAccessKey, AclValue(6, 6, 4, 6, 4)), Succeeds());
  ASSERT_THAT(Set(file, {.mode = 0710}), Succeeds());
  EXPECT_THAT(Key(file, kAccessKey), Gives(AclValue(7, 6, 4, 1, 0)));
  EXPECT_EQ(StatOf(file).mode, 0710);
}

TEST_P(FileSystemConformance, RemovalOfTheAccessAclKeepsTheMode) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(SetKey(file, kAccessKey, AclValue(6, 6, 4, 7, 4)), Succeeds());
  ASSERT_THAT(fs().RemoveXattr(Op(), file, kAccessKey), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0674);
}

// posix_acl_update_mode
TEST_P(FileSystemConformance, AccessAclByAStrangerDropsSetGid) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  ASSERT_THAT(Set(file, {.mode = 02644, .gid = 9}), Succeeds());
  ActAs(UserCredentials(7, 8));
  ASSERT_THAT(SetKey(file, kAccessKey, AclValue(6, 6, 4, 6, 4)), Succeeds());
  EXPECT_EQ(StatOf(file).mode, 0664);
}

TEST_P(FileSystemConformance, MalformedAclIsInval) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId file = MakeFile(root(), "a");
  EXPECT_THAT(SetKey(file, kAccessKey, "x"), IsErrno(Errno::kInval));
  EXPECT_THAT(SetKey(file, kAccessKey, kHeader + "123"), IsErrno(Errno::kInval));
  EXPECT_THAT(SetKey(file, kAccessKey, kHeader + Entry(2, 6, 1000)), IsErrno(Errno::kInval));
}

TEST_P(FileSystemConformance, DefaultAclOfAFileIsAccess) {
  LAMINA_NEEDS(fs().limits().xattrs);
  EXPECT_THAT(SetKey(MakeFile(root(), "a"), kDefaultKey, AclValue(7, 7, 5, 7, 5)),
              IsErrno(Errno::kAccess));
}

TEST_P(FileSystemConformance, DefaultAclKeepsTheModeOfItsDirectory) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId dir = MakeDir(root(), "d", 0700);
  ASSERT_THAT(SetKey(dir, kDefaultKey, AclValue(7, 7, 5, 7, 5)), Succeeds());
  EXPECT_EQ(StatOf(dir).mode, 0700);
}

TEST_P(FileSystemConformance, AclOfASymlinkIsOpNotSupp) {
  LAMINA_NEEDS(fs().limits().xattrs);
  EXPECT_THAT(SetKey(MakeLink(root(), "l", "t"), kAccessKey, AclValue(6, 6, 4, 6, 4)),
              IsErrno(Errno::kOpNotSupp));
}

// The kernel's answer in recording OVL-099.
TEST_P(FileSystemConformance, FileBelowADefaultAclInheritsItMaskedByItsMode) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId dir = MakeDir(root(), "d");
  ASSERT_THAT(SetKey(dir, kDefaultKey, AclValue(7, 7, 5, 7, 5)), Succeeds());
  const NodeId file = MakeFile(dir, "n", "", 0666);
  EXPECT_EQ(StatOf(file).mode, 0664);
  EXPECT_THAT(Key(file, kAccessKey), Gives(AclValue(6, 7, 5, 6, 4)));
  EXPECT_THAT(Key(file, kDefaultKey), IsErrno(Errno::kNoData));
}

TEST_P(FileSystemConformance, DirectoryBelowADefaultAclInheritsBoth) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId dir = MakeDir(root(), "d");
  ASSERT_THAT(SetKey(dir, kDefaultKey, AclValue(7, 7, 5, 7, 5)), Succeeds());
  const NodeId below = MakeDir(dir, "s", 0777);
  EXPECT_EQ(StatOf(below).mode, 0775);
  EXPECT_THAT(Key(below, kAccessKey), Gives(AclValue(7, 7, 5, 7, 5)));
  EXPECT_THAT(Key(below, kDefaultKey), Gives(AclValue(7, 7, 5, 7, 5)));
}

TEST_P(FileSystemConformance, SymlinkBelowADefaultAclInheritsNothing) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId dir = MakeDir(root(), "d");
  ASSERT_THAT(SetKey(dir, kDefaultKey, AclValue(7, 7, 5, 7, 5)), Succeeds());
  const NodeId link = MakeLink(dir, "l", "t");
  EXPECT_EQ(StatOf(link).mode, 0777);
  EXPECT_THAT(*fs().ListXattr(Op(), link), IsEmpty());
}

TEST_P(FileSystemConformance, PlainDefaultAclActsAsAMaskOnly) {
  LAMINA_NEEDS(fs().limits().xattrs);
  const NodeId dir = MakeDir(root(), "d");
  ASSERT_THAT(SetKey(dir, kDefaultKey, PlainAclValue(7, 5, 0)), Succeeds());
  const NodeId file = MakeFile(dir, "n", "", 0666);
  EXPECT_EQ(StatOf(file).mode, 0640);
  EXPECT_THAT(*fs().ListXattr(Op(), file), IsEmpty());
}

}  // namespace
}  // namespace lamina
