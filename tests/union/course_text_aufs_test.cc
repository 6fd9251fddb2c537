// What the course text says about AUFS, operation by operation. A stack of Docker: the read-write
// layer of a container above the read-only layers of its image.
#include <string>

#include "tests/union/aufs_stack.h"

namespace lamina {
namespace {

constexpr const char* kContainer = "rw";
constexpr const char* kImage = "ro+wh";

// Read A: search from the read-write layer downwards in layer order until the first A.
TEST(CourseTextAufs, A1_ReadingFindsTheFirstOneFromTheTopDownwards) {
  AufsStack stack({{kContainer, "top=container"},
                   {kImage, "top=upper middle=upper"},
                   {kImage, "top=lower middle=lower bottom=lower"}});
  EXPECT_EQ(stack.Read("/top"), "container");
  EXPECT_EQ(stack.Read("/middle"), "upper");
  EXPECT_EQ(stack.Read("/bottom"), "lower");
  EXPECT_EQ(stack.Read("/nowhere"), "ENOENT");
  EXPECT_EQ(stack.Content(0), "top=container");
}

// Write A, absent everywhere: create it in the read-write layer.
TEST(CourseTextAufs, A2_WritingWhatIsAbsentCreatesItInTheReadWriteLayer) {
  AufsStack stack({{kContainer}, {kImage, "etc/hosts=image"}, {kImage, "etc/fstab=image"}});
  EXPECT_EQ(stack.Put("/A", "new"), "OK");
  EXPECT_EQ(stack.Put("/etc/A", "new"), "OK");
  EXPECT_EQ(stack.Content(0), "A=new etc/ etc/A=new");
  EXPECT_EQ(stack.Read("/A"), "new");
  EXPECT_EQ(stack.List("/etc"), "A hosts fstab");
}

// Write A, present below: find it from the top as in A1, copy it into the read-write layer
// (copy-on-write), change the copy; the result stays there.
TEST(CourseTextAufs, A3_WritingWhatIsBelowCopiesItUpAndChangesTheCopy) {
  AufsStack stack({{kContainer}, {kImage, "A=hello"}, {kImage, "A=other"}});
  EXPECT_EQ(stack.WriteAt("/A", 0, "J"), "OK");
  EXPECT_EQ(stack.Content(0), "A=Jello");
  EXPECT_EQ(stack.Content(1), "A=hello");
  EXPECT_EQ(stack.Content(2), "A=other");
  EXPECT_EQ(stack.Read("/A"), "Jello");
  stack.Mount();
  EXPECT_EQ(stack.Read("/A"), "Jello");
}

// Delete A, only in the read-write layer: really delete it.
TEST(CourseTextAufs, A4_DeletingWhatIsOnlyInTheReadWriteLayerReallyDeletesIt) {
  AufsStack stack({{kContainer, "A=own"}, {kImage, "B=image"}});
  EXPECT_EQ(Outcome(stack.process().Unlink("/A")), "OK");
  EXPECT_EQ(stack.Content(0), "");
  EXPECT_EQ(stack.Merged(), "B=image");
}

// Delete A, present below: delete it in the read-write layer, then put a whiteout there; the file
// below is untouched. (AUFS does it the other way round: no moment shows the file below.)
TEST(CourseTextAufs, A5_DeletingWhatIsBelowLeavesAWhiteoutAndTheFileBelow) {
  AufsStack stack({{kContainer, "A=own"}, {kImage, "A=image B=image"}});
  EXPECT_EQ(Outcome(stack.process().Unlink("/A")), "OK");
  EXPECT_EQ(Outcome(stack.process().Unlink("/B")), "OK");
  EXPECT_EQ(stack.Content(0), ".wh.A .wh.B");
  EXPECT_EQ(stack.Content(1), "A=image B=image");
  EXPECT_EQ(stack.Read("/A"), "ENOENT");
  EXPECT_EQ(stack.Merged(), "");
}

// Create A, the read-write layer holds A's whiteout: remove the whiteout, then create. (AUFS
// creates first and removes the whiteout then.)
TEST(CourseTextAufs, A6_CreatingOverAWhiteoutRemovesIt) {
  AufsStack stack({{kContainer, ".wh.A"}, {kImage, "A=image"}});
  EXPECT_EQ(stack.Put("/A", "new"), "OK");
  EXPECT_EQ(stack.Content(0), "A=new");
  EXPECT_EQ(stack.Read("/A"), "new");
}

// Create A otherwise: create it directly in the read-write layer.
TEST(CourseTextAufs, A7_CreatingOtherwiseIsDirectlyInTheReadWriteLayer) {
  AufsStack stack({{kContainer}, {kImage, "B=image"}});
  EXPECT_EQ(stack.Create("/A"), "OK");
  EXPECT_EQ(stack.Content(0), "A");
  EXPECT_EQ(stack.List("/"), "A B");
}

}  // namespace
}  // namespace lamina
