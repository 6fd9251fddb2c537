#include "tests/model/raw_layer.h"

#include <iostream>

#include "lamina/base/check.h"

namespace lamina::sim {
namespace {

NodeId MakeDirectory(FileSystem& fs, const std::string& name) {
  const Credentials root = RootCredentials();
  const OpContext op{root, InstantFromSeconds(1000), Probe()};
  NewNode node;
  node.type = FileType::kDirectory;
  node.mode = 0755;
  Result<NodeId> made = fs.Create(op, Place{fs.root(), name}, node);
  LAMINA_CHECK(made.ok());
  return *made;
}

}  // namespace

std::vector<ModelEntry> RawLayer::Dump() const {
  std::vector<std::string> problems;  // marks are none
  return raw->Dump(problems);
}

DirectoryRef RawLayer::RefThrough(FileSystem& seen) const {
  return DirectoryRef{&seen, root, {seen.root()}, ""};
}

RawLayer LayerBuilder::Build(FileSystem& fs, const std::string& name,
                             const std::vector<ModelOperation>& calls) {
  RawLayer layer;
  layer.fs = &fs;
  layer.root = MakeDirectory(fs, name);
  layer.raw = std::make_unique<ProcessRunner>(fs, layer.root, clock_, Duration{0}, identities_);
  for (const ModelOperation& call : calls) {
    const ModelOutcome outcome = layer.raw->Execute(call);
    if (!outcome.ok()) std::cerr << "set-up: " << call.Show() << " = " << outcome.Show() << "\n";
    LAMINA_CHECK(outcome.ok());
  }
  layer.before = layer.Dump();
  return layer;
}

}  // namespace lamina::sim
