// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layout of accumulators as plain numbers: every element has one place, and all ways to compute it agree.
#include "compiler/Conversion/TileToNVVM/FragmentLayout.h"

#include <catch2/catch.hpp>

#include <vector>

using landmark::FragmentLayout;

namespace {

/// Layouts of tiles with all three dimensions, small and odd ones included.
std::vector<FragmentLayout> layouts() {
  std::vector<FragmentLayout> all;
  for (int64_t warps : {1, 2, 3, 4, 8})
    for (int64_t rowTiles : {1, 2, 3})
      for (int64_t blocks : {1, 2, 5})
        for (int64_t columns : {8, 16, 24, 56, 64}) {
          all.push_back({16 * warps * rowTiles, blocks, columns, warps});
          for (int64_t split : {2, 4}) // so many groups of as many warps, each with its share of the blocks
            all.push_back({16 * warps * rowTiles, blocks * split, columns, warps * split, split});
        }
  all.push_back({8, 1, 64, 1}); // half a matrix tile
  all.push_back({8, 5, 8, 1});
  return all;
}

/// The same tile without some of its dimensions.
std::vector<FragmentLayout> withAbsentDimensions(const FragmentLayout &layout) {
  std::vector<FragmentLayout> all;
  for (int mask = 0; mask < 8; ++mask)
    all.push_back(
        {mask & 1 ? layout.rows : 0, mask & 2 ? layout.blocks : 0, mask & 4 ? layout.columns : 0, layout.warps, layout.split});
  return all;
}

template <typename Body> void forEachHolder(const FragmentLayout &layout, Body body) {
  for (int64_t warp = 0; warp < layout.warps; ++warp)
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t number = 0; number < layout.registers(); ++number)
        body(warp, lane, number);
}

} // namespace

TEST_CASE("every element of a tile is held once", "[layout]") {
  for (const FragmentLayout &layout : layouts()) {
    REQUIRE(FragmentLayout::isLegal(layout.rows, layout.columns, layout.rowWarps()));
    std::vector<int> held(layout.rows * layout.blocks * layout.columns);
    forEachHolder(layout, [&](int64_t warp, int64_t lane, int64_t number) {
      auto place = layout.placeOf(number);
      int64_t row = layout.row(warp, lane, place.row), column = FragmentLayout::column(lane, place.column);
      int64_t block = warp / layout.rowWarps() * layout.blockRegisters() + place.block;
      REQUIRE((row >= 0 && row < layout.rows && column >= 0 && column < layout.columns && block < layout.blocks));
      ++held[(row * layout.blocks + block) * layout.columns + column];
    });
    CHECK(std::vector<int>(held.size(), 1) == held);
  }
}

TEST_CASE("a place and the number of its register are inverse", "[layout]") {
  for (const FragmentLayout &whole : layouts())
    for (const FragmentLayout &layout : withAbsentDimensions(whole)) {
      REQUIRE(layout.registers() == layout.rowRegisters() * layout.blockRegisters() * layout.columnRegisters());
      for (int64_t number = 0; number < layout.registers(); ++number) {
        auto place = layout.placeOf(number);
        REQUIRE(layout.registerOf(place) == number);
        REQUIRE((place.row >= 0 && place.row < layout.rowRegisters()));
        REQUIRE((place.block >= 0 && place.block < layout.blockRegisters()));
        REQUIRE((place.column >= 0 && place.column < layout.columnRegisters()));
      }
    }
}

TEST_CASE("an absent dimension takes one register", "[layout]") {
  FragmentLayout rows{128, 0, 0, 4}, columns{0, 0, 64, 4}, blocks{0, 3, 0, 4}, none{0, 0, 0, 4};
  CHECK(rows.registers() == 4);
  CHECK(columns.registers() == 16);
  CHECK(blocks.registers() == 3);
  CHECK(none.registers() == 1);
}

TEST_CASE("the lane and the register of a column are those of column()", "[layout]") {
  for (const FragmentLayout &layout : layouts())
    for (int64_t column = 0; column < layout.columns; ++column) {
      int64_t number = FragmentLayout::columnRegister(column), place = FragmentLayout::columnLane(column);
      REQUIRE(number < layout.columnRegisters());
      REQUIRE((place >= 0 && place < 4));
      for (int64_t group = 0; group < 8; ++group)
        REQUIRE(FragmentLayout::column(4 * group + place, number) == column);
    }
}

TEST_CASE("neighbouring columns of a pair are in neighbouring registers", "[layout]") {
  for (const FragmentLayout &layout : layouts())
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t number = 0; number < layout.columnRegisters(); number += 2) {
        int64_t even = FragmentLayout::column(lane, number);
        REQUIRE(even % 2 == 0);
        REQUIRE(FragmentLayout::column(lane, number + 1) == even + 1);
      }
}

TEST_CASE("constants are what all lanes have in common", "[layout]") {
  for (const FragmentLayout &layout : layouts())
    forEachHolder(layout, [&](int64_t warp, int64_t lane, int64_t number) {
      auto place = layout.placeOf(number);
      REQUIRE(layout.row(warp, lane, place.row) == layout.row(warp, lane, 0) + FragmentLayout::rowConstant(place.row));
      REQUIRE(FragmentLayout::column(lane, place.column) ==
              2 * (lane % 4) + FragmentLayout::columnConstant(place.column));
    });
}

TEST_CASE("a warp holds consecutive rows", "[layout]") {
  for (const FragmentLayout &layout : layouts()) {
    int64_t share = layout.rows / layout.rowWarps();
    forEachHolder(layout, [&](int64_t warp, int64_t lane, int64_t number) {
      REQUIRE(layout.row(warp, lane, layout.placeOf(number).row) / share == warp % layout.rowWarps());
    });
  }
}

TEST_CASE("warps that share rows have a part of the columns each", "[layout]") {
  FragmentLayout slices{8, 1, 128, 4, 1, /*isSliced=*/true}, rows{8, 0, 0, 4, 1, true};
  CHECK(slices.rowWarps() == 1);
  CHECK(slices.sliceColumns() == 32);
  CHECK(slices.registers() == 8);
  CHECK(rows.registers() == 1);
}

TEST_CASE("sizes that do not fit are not legal", "[layout]") {
  CHECK_FALSE(FragmentLayout::isLegal(48, 64, 4));
  CHECK_FALSE(FragmentLayout::isLegal(64, 12, 4));
  CHECK(FragmentLayout::isLegal(48, 8, 1));
  CHECK(FragmentLayout::isLegal(8, 8, 1));
  CHECK_FALSE(FragmentLayout::isLegal(8, 8, 2));
}
