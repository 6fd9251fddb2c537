// Directories of lower branches that are renamed (option dirren), with and without cached names.
#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

std::string Rename(AufsStack& stack, std::string_view from, std::string_view to) {
  return Outcome(stack.process().Rename(from, to, RenameMode::kReplace));
}

TEST(AufsDirren, AFreshLookupFindsTheLowerPartUnderItsOldName) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/x=X d/s/t=T"}, {"ro+wh", "d/z=Z"}}, "dirren");
  ASSERT_EQ(Rename(stack, "/d", "/e"), "OK");
  const std::string seen = stack.Merged();
  EXPECT_EQ(seen, "e/ e/s/ e/s/t=T e/x=X e/z=Z");
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), seen);
  stack.Mount();
  EXPECT_EQ(stack.Merged(), seen);
}

TEST(AufsDirren, ASecondRenameKeepsTheFirstName) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/x=X"}}, "dirren");
  ASSERT_EQ(Rename(stack, "/d", "/e"), "OK");
  ASSERT_EQ(Rename(stack, "/e", "/f"), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), "f/ f/x=X");
  ASSERT_EQ(Rename(stack, "/f", "/d"), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), "d/ d/x=X");
}

TEST(AufsDirren, ADirectoryMovesIntoARenamedOne) {
  AufsStack stack({{"rw"}, {"ro+wh", "a/x=X b/c/y=Y"}}, "dirren");
  ASSERT_EQ(Rename(stack, "/a", "/n"), "OK");
  ASSERT_EQ(Rename(stack, "/b/c", "/n/m"), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), "b/ n/ n/m/ n/m/y=Y n/x=X");
}

TEST(AufsDirren, ASubdirectoryOfARenamedOneIsRenamed) {
  AufsStack stack({{"rw"}, {"ro+wh", "a/b/x=X"}}, "dirren");
  ASSERT_EQ(Rename(stack, "/a", "/n"), "OK");
  ASSERT_EQ(Rename(stack, "/n/b", "/n/c"), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), "n/ n/c/ n/c/x=X");
  EXPECT_EQ(stack.Lookup("/n/b"), "ENOENT");
}

TEST(AufsDirren, TheOldNameIsFreeAndHasNothingOfBefore) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/x=X"}}, "dirren");
  ASSERT_EQ(Rename(stack, "/d", "/e"), "OK");
  ASSERT_EQ(Outcome(stack.process().Mkdir("/d", 0755)), "OK");
  ASSERT_EQ(stack.Put("/d/new", "N"), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), "d/ d/new=N e/ e/x=X");
}

TEST(AufsDirren, WhatIsDeletedInARenamedDirectoryStaysDeleted) {
  AufsStack stack({{"rw"}, {"ro+wh", "d/x=X d/y=Y"}}, "dirren");
  ASSERT_EQ(Rename(stack, "/d", "/e"), "OK");
  ASSERT_EQ(Outcome(stack.process().Unlink("/e/x")), "OK");
  ASSERT_EQ(stack.Append("/e/y", "!"), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), "e/ e/y=Y!");
  ASSERT_EQ(Outcome(stack.process().Unlink("/e/y")), "OK");
  EXPECT_EQ(Outcome(stack.process().Rmdir("/e")), "OK");
  stack.RunDeferred();
  EXPECT_EQ(stack.Merged(), "");
  EXPECT_EQ(stack.Content(0), ".wh.d");
}

TEST(AufsDirren, ExchangeKeepsBothParts) {
  AufsStack stack({{"rw"}, {"ro+wh", "a/x=X b/y=Y"}}, "dirren");
  ASSERT_EQ(Outcome(stack.process().Rename("/a", "/b", RenameMode::kExchange)), "OK");
  stack.DropCaches();
  EXPECT_EQ(stack.Merged(), "a/ a/y=Y b/ b/x=X");
}

}  // namespace
}  // namespace lamina
